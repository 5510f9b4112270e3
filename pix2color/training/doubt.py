"""The last stage as a task: a head that predicts how wrong the generator's colours are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from torch import Tensor

from pix2color.color.lab import rgb_to_l_ab
from pix2color.data.batches import Batch
from pix2color.errors import ConfigError
from pix2color.models.base import Generator
from pix2color.models.generators.slim_unet import SlimUNet
from pix2color.models.render import render
from pix2color.training.optimizers import build_optimizer
from pix2color.training.regression import RegressionTask
from pix2color.training.task import Losses, Validation

_VALIDATION_BATCH = 8
_STRIDE = 8  # of the pixels that the correlation is computed of


class DoubtTask(RegressionTask):
    """The task of predicting the distance of the predicted ab from the true one, at each pixel.

    The generator stands still: only its ``doubt_head`` learns, by the squared error of that
    distance, from features without gradient.
    """

    stage = 3

    @classmethod
    def from_recipe(cls, recipe: Any, generator: Generator) -> DoubtTask:
        """Return the task of a recipe.

        Raises:
            ConfigError: the generator has no such head, or the weights are to be averaged.
        """
        if recipe.ema is not None:
            raise ConfigError("ema: train-doubt averages no weights; leave ema=null")
        if not isinstance(generator, SlimUNet) or not generator.gives_doubt:
            raise ConfigError(
                "train-doubt: this network cannot predict its own error; start from a "
                "unet-timm or unet-resnet18"
            )
        return cls(
            generator, build_optimizer(generator.doubt_head, recipe.optimizer, "optimizer"), recipe
        )

    def forward(self, batch: Batch, learning: set[str]) -> DoubtState:  # type: ignore[override]
        """Return the error that is predicted for the colours of a batch, and the true one."""
        given, ab = self.examples(batch)
        generator = self._generator
        with torch.no_grad():
            error = _distance(generator(*given), ab)
        return DoubtState(generator.predict_doubt(*given), error)

    def losses(self, phase: str, state: DoubtState) -> Losses:  # type: ignore[override]
        loss = F.mse_loss(state.predicted.float(), state.error)
        return Losses(loss, {"doubt": loss.detach()})

    def validate(self, predict: Callable[[Tensor], Tensor], batch: Batch) -> Validation:
        """Return what ``RegressionTask`` does, and ``doubt_spearman``.

        That is the rank correlation of the predicted and the true error of all pixels, every
        eighth row and column.
        """
        result = super().validate(predict, batch)
        pairs: list[tuple[Tensor, Tensor]] = []
        for pixels in batch.pixels.split(_VALIDATION_BATCH):
            L, ab = rgb_to_l_ab(pixels)
            error = _distance(render(predict, L, self.render_size), ab)
            doubt = render(self._generator.predict_doubt, L, self.render_size)
            pairs.append((doubt[:, :, ::_STRIDE, ::_STRIDE], error[:, :, ::_STRIDE, ::_STRIDE]))
        columns = [torch.cat(column).flatten().cpu() for column in zip(*pairs, strict=True)]
        result.scores["doubt_spearman"] = float(spearmanr(*columns).statistic)
        return result

    def summary(self, scores: dict[str, float]) -> str:
        return f"rank correlation with the error {scores['doubt_spearman']:.2f}"

    @property
    def _generator(self) -> SlimUNet:
        generator = self.plain(self.exported)
        assert isinstance(generator, SlimUNet)
        return generator


@dataclass
class DoubtState:
    """The state of a step: the predicted and the true error of the ab, (N, 1, H, W) each."""

    predicted: Tensor
    error: Tensor


def _distance(prediction: Tensor, ab: Tensor) -> Tensor:
    """Return the distance of ab (N, 2, H, W) at each pixel, (N, 1, H, W)."""
    return (prediction.float() - ab.float()).norm(dim=1, keepdim=True)
