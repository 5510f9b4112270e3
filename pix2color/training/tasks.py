"""What is learned: how a batch of pixels becomes input, target and losses.

A task knows colour and losses; the engine knows neither. It lists its phases, runs the shared
forward pass once a batch, and returns for each phase a loss and the numbers worth a curve.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color.color.lab import l_ab_to_rgb, rgb_to_l_ab
from pix2color.config.schema import GanRecipe, Recipe
from pix2color.data.film import simulate_film
from pix2color.errors import ConfigError
from pix2color.imaging.io import picture_grid
from pix2color.losses import ADVERSARIAL, RECONSTRUCTION
from pix2color.metrics import picture_scores
from pix2color.models.base import Generator
from pix2color.models.features import FeatureDistance
from pix2color.models.render import render

_GENERATOR, _DISCRIMINATOR = "generator", "discriminator"
_FEATURE = "feature"
_VALIDATION_BATCH = 8
_SAMPLE_ROWS = 6
_CURVES = ("loss", "psnr", "ssim", "delta_e")


@dataclass
class Phase:
    """One network's turn within a step.

    Attributes:
        name: of the network in the task's ``modules``.
        optimizer: of that network.
        first_step: the phase is skipped before it.
    """

    name: str
    optimizer: Optimizer
    first_step: int = 0


@dataclass
class Losses:
    """``total`` is what is minimised; ``curves`` are scalars to be logged, detached."""

    total: Tensor
    curves: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Validation:
    """Scores over the validation photos, and rows of pictures for people to look at.

    ``loss`` is one number for schedules that look at it; lower is better.
    """

    scores: dict[str, float]
    samples: np.ndarray  # uint8 (3, H, W)
    loss: float


class Task(ABC):
    """Interface between the engine and what is learned.

    Attributes:
        modules: network by name; the engine puts its prepared ones in their place.
        phases: the order of turns within a step.
        exported: name of the network that is averaged, validated and exported.
    """

    modules: dict[str, nn.Module]
    phases: list[Phase]
    exported: str

    @abstractmethod
    def forward(self, pixels: Tensor, learning: set[str]) -> Any:
        """The state that the phases of a step share, from uint8 (N, 3, H, W)."""

    @abstractmethod
    def losses(self, phase: str, state: Any) -> Losses:
        """The losses of one phase."""

    @abstractmethod
    def train_mode(self) -> None:
        """Put every network into the mode it trains in."""

    @abstractmethod
    def validate(self, predict: Callable[[Tensor], Tensor], pixels: Tensor) -> Validation:
        """Score the exported network on uint8 (N, 3, S, S); ``predict`` runs it."""

    def plain(self, name: str) -> nn.Module:
        """A network without the wrapper of distributed training, for use while it is frozen."""
        module = self.modules[name]
        if isinstance(module, nn.parallel.DistributedDataParallel):
            module = module.module
        assert isinstance(module, nn.Module)
        return module


class RegressionTask(Task):
    """L → ab with reconstruction losses (stage one).

    Args:
        generator: predicts ab.
        optimizer: of the generator.
        recipe: the losses and their weights, the size of the pictures, BatchNorm.

    Raises:
        ConfigError: a loss is unknown, or lacks its network.
    """

    exported = _GENERATOR

    def __init__(self, generator: Generator, optimizer: Optimizer, recipe: Recipe) -> None:
        self.modules = {_GENERATOR: generator}
        self.phases = [Phase(_GENERATOR, optimizer)]
        self.weights = recipe.reconstruction
        self.feature_distance = _feature_distance(recipe)
        self.freeze_batchnorm = recipe.freeze_batchnorm
        self.film = recipe.film
        self.render_size = recipe.resolved_render_size
        self._gray_scores: dict[str, float] = {}

    def forward(self, pixels: Tensor, learning: set[str]) -> ColorState:
        L, ab = rgb_to_l_ab(pixels)
        if self.film.share:
            L = simulate_film(pixels, self.film)
        if _GENERATOR in learning:
            return ColorState(L, ab, self.modules[_GENERATOR](L))
        with torch.no_grad():
            return ColorState(L, ab, self.plain(_GENERATOR)(L))

    def losses(self, phase: str, state: ColorState) -> Losses:
        return self._reconstruction(state)

    def _reconstruction(self, state: ColorState) -> Losses:
        parts: dict[str, Tensor] = {}
        for name in self.weights:
            if name == _FEATURE:
                distance = self.feature_distance.to(state.L.device)
                parts[name] = distance(state.L, state.prediction, state.ab)
            else:
                parts[name] = RECONSTRUCTION[name](state.prediction, state.ab)
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    def validate(self, predict: Callable[[Tensor], Tensor], pixels: Tensor) -> Validation:
        """The reconstruction losses, PSNR, SSIM, ΔE00 and the colourfulness ratio, beside those of
        the gray pictures."""

        def predicted(L: Tensor) -> Tensor:
            return render(predict, L, self.render_size)

        if not self._gray_scores:  # a run has one set of validation photos
            self._gray_scores = self._mean_scores(_gray, pixels)
        mean = self._mean_scores(predicted, pixels)
        scores = {name: mean[name] for name in _CURVES}
        scores |= {f"{name}_gray": self._gray_scores[name] for name in _CURVES}
        scores["colorfulness_ratio"] = mean["colorfulness"] / mean["true_colorfulness"]
        shown = pixels[:_SAMPLE_ROWS]
        L, _ = rgb_to_l_ab(shown)
        columns = [l_ab_to_rgb(L, ab) for ab in (_gray(L), predicted(L))] + [shown / 255]
        rows = zip(*((c * 255).round().byte().cpu().numpy() for c in columns), strict=True)
        return Validation(scores, picture_grid(rows), scores["loss"])

    def _mean_scores(
        self, predicted: Callable[[Tensor], Tensor], pixels: Tensor
    ) -> dict[str, float]:
        """Means over the pictures of what ``predicted`` makes of their L."""
        scores: list[dict[str, Tensor]] = []
        for batch in pixels.split(_VALIDATION_BATCH):
            L, ab = rgb_to_l_ab(batch)
            prediction = predicted(L)
            loss = self._reconstruction(ColorState(L, ab, prediction)).total
            pictures = picture_scores(l_ab_to_rgb(L, prediction), batch / 255)
            scores.append({"loss": loss.expand(len(batch)), **pictures})
        return {name: torch.cat([s[name] for s in scores]).mean().item() for name in scores[0]}

    def train_mode(self) -> None:
        for module in self.modules.values():
            module.train()
        if self.freeze_batchnorm:
            for layer in self.modules[_GENERATOR].modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()


class AdversarialTask(RegressionTask):
    """L1 and the judgement of a discriminator that sees L beside ab (stage two).

    The discriminator's turn comes first; both judge the same prediction.

    Args:
        generator: predicts ab; its ``ab_stride`` says how coarse that is.
        discriminator: (N, 3, h, w) to logits.
        optimizers: generator's, discriminator's.
        recipe: loss, λ, warm-up of the critic, and how the discriminator looks.
    """

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
        fake = self._seen(state.L, state.prediction)
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
        fake = self._seen(state.L, state.prediction.detach())
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

    def _features(self, seen: Tensor) -> list[Tensor]:
        return self.plain(_DISCRIMINATOR).features(seen)  # type: ignore[operator]

    def _real(self, state: ColorState) -> Tensor:
        return self._seen(state.L, band_limited(state.ab, self.ab_stride))

    def _seen(self, L: Tensor, ab: Tensor) -> Tensor:
        seen = torch.cat([L, ab], dim=1)
        return F.avg_pool2d(seen, 2) if self.resolution == "half" else seen


@dataclass
class ColorState:
    """``L`` (N, 1, H, W) as the networks see it, the true ``ab`` and the predicted one,
    (N, 2, H, W)."""

    L: Tensor
    ab: Tensor
    prediction: Tensor


def _feature_distance(recipe: Recipe) -> nn.Module:
    """The network of the loss ``feature``, if it is among the recipe's; all are checked."""
    for name in recipe.reconstruction:
        if name not in (*RECONSTRUCTION, _FEATURE):
            known = ", ".join([*RECONSTRUCTION, _FEATURE])
            raise ConfigError(f"reconstruction: none is called {name!r}; known are: {known}")
    if _FEATURE not in recipe.reconstruction:
        return nn.Identity()
    if recipe.feature_weights == "none":
        raise ConfigError(
            "reconstruction: feature needs feature_weights=imagenet, or the path of some"
        )
    return FeatureDistance(recipe.feature_weights)


def _gray(L: Tensor) -> Tensor:
    return torch.zeros_like(L).expand(-1, 2, -1, -1)


def band_limited(ab: Tensor, stride: int) -> Tensor:
    """The true ab as blurred as a generator's that predicts it at 1/``stride`` of the size.

    Without this the discriminator tells real from fake by sharpness and learns no colour.
    """
    if stride == 1:
        return ab
    small = F.avg_pool2d(ab, stride, ceil_mode=True, count_include_pad=False)
    return F.interpolate(small, ab.shape[2:], mode="bilinear", align_corners=False)
