"""Stage one as a task: L → ab with reconstruction losses, and its validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color.color.lab import l_ab_to_rgb, rgb_to_l_ab
from pix2color.config.schema import Recipe
from pix2color.data.batches import Batch
from pix2color.data.film import simulate_film
from pix2color.data.hints import hints_from_truth
from pix2color.errors import ConfigError
from pix2color.imaging.io import picture_grid
from pix2color.losses import RECONSTRUCTION
from pix2color.metrics import picture_scores
from pix2color.models.base import Generator
from pix2color.models.features import FeatureDistance, TeacherDistance
from pix2color.models.model_file import load_model
from pix2color.models.render import render
from pix2color.training.optimizers import build_optimizer
from pix2color.training.task import Losses, Phase, Task, Validation

_GENERATOR = "generator"
_FEATURE, _TEACHER = "feature", "teacher"
_VALIDATION_BATCH = 8
_SAMPLE_ROWS = 6
_CURVES = ("loss", "psnr", "ssim", "delta_e")


class RegressionTask(Task):
    """The task of predicting ab from L with reconstruction losses (stage one).

    Args:
        generator: predicts ab.
        optimizer: of the generator.
        recipe: the losses and their weights, the size of the pictures, BatchNorm.

    Raises:
        ConfigError: a loss is unknown, or lacks its network.
    """

    exported = _GENERATOR
    stage = 1
    """Stages are trained in this order."""

    @classmethod
    def from_recipe(cls, recipe: Any, generator: Generator) -> RegressionTask:
        """Return the task of a recipe.

        Raises:
            ConfigError: it could learn nothing, or a setting does not fit.
        """
        if not any(recipe.reconstruction.values()):
            raise ConfigError("reconstruction: all weights are 0, so nothing is learnt; raise one")
        task = cls(generator, build_optimizer(generator, recipe.optimizer, "optimizer"), recipe)
        task.matches_saturation = recipe.match_saturation
        if task.matches_saturation:
            generator.scale_ab(1.0)  # which not every one can
        return task

    def __init__(self, generator: Generator, optimizer: Optimizer, recipe: Recipe) -> None:
        self.modules = {_GENERATOR: generator}
        self.phases = [Phase(_GENERATOR, optimizer)]
        self.weights = recipe.reconstruction
        self.network_losses = _network_losses(recipe)
        self.freeze_batchnorm = recipe.freeze_batchnorm
        self.film = recipe.film
        self.render_size = recipe.resolved_render_size
        self._gray_scores: dict[str, float] = {}

    def forward(self, batch: Batch, learning: set[str]) -> ColorState:
        given, ab = self.examples(batch)
        if _GENERATOR in learning:
            return ColorState(given[0], ab, self.modules[_GENERATOR](*given))
        with torch.no_grad():
            return ColorState(given[0], ab, self.plain(_GENERATOR)(*given))

    def examples(self, batch: Batch) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return what the generator is given, L and the hints if it takes some, and the true ab."""
        L, ab = rgb_to_l_ab(batch.pixels)
        if self.film.share:
            L = simulate_film(batch.pixels, self.film)
        # Hints even if all are empty: networks that train together need every gradient.
        return (L,) if batch.regions is None else (L, hints_from_truth(ab, batch.regions)), ab

    def losses(self, phase: str, state: ColorState) -> Losses:
        return self._reconstruction(state)

    def _reconstruction(self, state: ColorState) -> Losses:
        losses: dict[str, Tensor] = {}
        for name in self.weights:
            if name in self.network_losses:
                distance = self.network_losses[name].to(state.L.device)
                losses[name] = distance(state.L, state.prediction, state.ab)
            else:
                losses[name] = RECONSTRUCTION[name](state.prediction, state.ab)
        total = torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
        return Losses(total, {name: loss.detach() for name, loss in losses.items()})

    def validate(self, predict: Callable[[Tensor], Tensor], batch: Batch) -> Validation:
        """Return the reconstruction losses, PSNR, SSIM, ΔE00 and the colourfulness ratio.

        The same scores of the gray pictures stand beside them.
        """
        pixels = batch.pixels

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

    def summary(self, scores: dict[str, float]) -> str:
        return (
            f"psnr {scores['psnr']:.2f} (gray {scores['psnr_gray']:.2f})"
            f"  colourfulness {scores['colorfulness_ratio']:.2f}"
        )

    def _mean_scores(
        self, predicted: Callable[[Tensor], Tensor], pixels: Tensor
    ) -> dict[str, float]:
        """Return means over the pictures of what ``predicted`` makes of their L."""
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


@dataclass
class ColorState:
    """The state of a step: ``L`` (N, 1, H, W), the true ``ab`` and the predicted, (N, 2, H, W)."""

    L: Tensor
    ab: Tensor
    prediction: Tensor


def _network_losses(recipe: Recipe) -> dict[str, nn.Module]:
    """Return the recipe's losses that look through a trained network; check all names."""
    for name in recipe.reconstruction:
        if name not in (*RECONSTRUCTION, _FEATURE, _TEACHER):
            known = ", ".join([*RECONSTRUCTION, _FEATURE, _TEACHER])
            raise ConfigError(f"reconstruction: none is called {name!r}; known are: {known}")
    found: dict[str, nn.Module] = {}
    if _FEATURE in recipe.reconstruction:
        if recipe.feature_weights == "none":
            raise ConfigError(
                "reconstruction: feature needs feature_weights=imagenet, or the path of some"
            )
        found[_FEATURE] = FeatureDistance(recipe.feature_weights)
    if _TEACHER in recipe.reconstruction:
        if recipe.teacher is None:
            raise ConfigError("reconstruction: teacher needs teacher=RUN, a run or a model file")
        found[_TEACHER] = TeacherDistance(load_model(recipe.teacher)[0])
    return found


def _gray(L: Tensor) -> Tensor:
    return torch.zeros_like(L).expand(-1, 2, -1, -1)
