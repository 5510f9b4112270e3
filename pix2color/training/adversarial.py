"""Stage two as a task: reconstruction losses beside a discriminator's judgement."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color.config.schema import GanRecipe
from pix2color.errors import ConfigError
from pix2color.losses import ADVERSARIAL
from pix2color.models.base import Generator
from pix2color.models.registry import build_discriminator
from pix2color.training.optimizers import build_optimizer
from pix2color.training.regression import ColorState, RegressionTask
from pix2color.training.task import Losses, Phase

_GENERATOR, _DISCRIMINATOR = "generator", "discriminator"


class AdversarialTask(RegressionTask):
    """The task of predicting ab by L1 and a discriminator that sees L beside ab (stage two).

    The discriminator's turn comes first; both judge the same prediction.

    Args:
        generator: predicts ab; its ``ab_stride`` says how coarse that is.
        discriminator: (N, 3, h, w) to logits.
        optimizers: generator's, discriminator's.
        recipe: loss, λ, warm-up of the critic, and how the discriminator looks.
    """

    stage = 2

    @classmethod
    def from_recipe(cls, recipe: Any, generator: Generator) -> AdversarialTask:
        """Return the task of a recipe, with a fresh discriminator."""
        optimizer = build_optimizer(generator, recipe.optimizer, "optimizer")
        config = recipe.discriminator
        critic = build_discriminator(config.name, config.options)
        critic_config = recipe.discriminator_optimizer
        critic_optimizer = build_optimizer(critic, critic_config, "discriminator_optimizer")
        return cls(generator, critic, (optimizer, critic_optimizer), recipe)

    def __init__(
        self,
        generator: Generator,
        discriminator: nn.Module,
        optimizers: tuple[Optimizer, Optimizer],
        recipe: GanRecipe,
    ) -> None:
        super().__init__(generator, optimizers[0], recipe)
        self.modules[_DISCRIMINATOR] = discriminator
        self.phases = [
            Phase(_DISCRIMINATOR, optimizers[1]),
            Phase(_GENERATOR, optimizers[0], first_step=recipe.critic_warmup_steps),
        ]
        if recipe.adversarial not in ADVERSARIAL:
            known = ", ".join(ADVERSARIAL)
            raise ConfigError(
                f"adversarial: none is called {recipe.adversarial!r}; known are: {known}"
            )
        self.criterion, self.decision = ADVERSARIAL[recipe.adversarial]
        self.resolution = recipe.discriminator.resolution
        self.passes = recipe.discriminator.passes
        self.ab_stride = generator.ab_stride
        self.feature_matching = recipe.feature_matching

    def losses(self, phase: str, state: ColorState) -> Losses:
        if phase == _GENERATOR:
            return self._generator_losses(state)
        return self._discriminator_losses(state)

    def _generator_losses(self, state: ColorState) -> Losses:
        losses = self._reconstruction(state)
        fake = self._critic_input(state.L, state.prediction)
        if self.feature_matching:
            *features, logits = self._features(fake)
            with torch.no_grad():
                *wanted, _ = self._features(self._real(state))
            distances = [F.l1_loss(a, b) for a, b in zip(features, wanted, strict=True)]
            matching = torch.stack(distances).mean()
            losses.total = losses.total + self.feature_matching * matching
            losses.curves["feature_matching"] = matching.detach()
        else:
            logits = self.plain(_DISCRIMINATOR)(fake)
        adversarial = self.criterion(logits, real=True, for_generator=True)
        losses.curves["adversarial"] = adversarial.detach()
        return Losses(losses.total + adversarial, losses.curves)

    def _discriminator_losses(self, state: ColorState) -> Losses:
        real = self._real(state)
        fake = self._critic_input(state.L, state.prediction.detach())
        discriminator = self.modules[_DISCRIMINATOR]
        if self.passes == "joint":
            on_real, on_fake = discriminator(torch.cat([real, fake])).chunk(2)
        else:
            on_real, on_fake = discriminator(real), discriminator(fake)
        loss_real = self.criterion(on_real, real=True)
        loss_fake = self.criterion(on_fake, real=False)
        return Losses(
            (loss_real + loss_fake) / 2,
            {
                "real": loss_real.detach(),
                "fake": loss_fake.detach(),
                "accuracy_real": (on_real > self.decision).float().mean(),
                "accuracy_fake": (on_fake <= self.decision).float().mean(),
            },
        )

    def _features(self, given: Tensor) -> list[Tensor]:
        return self.plain(_DISCRIMINATOR).features(given)  # type: ignore[operator]

    def _real(self, state: ColorState) -> Tensor:
        return self._critic_input(state.L, band_limited(state.ab, self.ab_stride))

    def _critic_input(self, L: Tensor, ab: Tensor) -> Tensor:
        both = torch.cat([L, ab], dim=1)
        return F.avg_pool2d(both, 2) if self.resolution == "half" else both


def band_limited(ab: Tensor, stride: int) -> Tensor:
    """Blur the true ab as much as a generator's that predicts it at 1/``stride`` of the size.

    Without this the discriminator tells real from fake by sharpness and learns no colour.
    """
    if stride == 1:
        return ab
    small = F.avg_pool2d(ab, stride, ceil_mode=True, count_include_pad=False)
    return F.interpolate(small, ab.shape[2:], mode="bilinear", align_corners=False)
