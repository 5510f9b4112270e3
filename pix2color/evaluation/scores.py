"""Figures of a set of pictures with their 95 % intervals: one row of the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pix2color import metrics
from pix2color.color.lab import l_ab_to_lab, l_ab_to_rgb, rgb_to_lab

_RESAMPLES = 1000
_GROUPS = 50  # of pictures, for the intervals of measures of all pixels together


class Score(NamedTuple):
    """A figure; ``low`` and ``high`` are its 95 % interval over the pictures, None if unknown."""

    value: float
    low: float | None = None
    high: float | None = None


class Measured:
    """What is kept of one system's pictures, batch by batch: measures, and some of themselves."""

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._scores: list[dict[str, Tensor]] = []

    def outputs(self) -> Tensor:
        """Return the pictures kept, uint8 (K, 3, H, W)."""
        return torch.cat(self._outputs)

    def pictures(self) -> dict[str, Tensor]:
        """Return every measure that is one number a picture, (N,)."""
        return {name: torch.cat([s[name] for s in self._scores]) for name in self._scores[0]}

    def by_photo(self, paths: list[Path]) -> list[dict[str, Any]]:
        """Return a dict for each photo: its path and its measures."""
        values = {name: v.tolist() for name, v in self.pictures().items()}
        return [
            {"photo": str(path), **{name: v[i] for name, v in values.items()}}
            for i, path in enumerate(paths)
        ]


class Row(Measured):
    """Collects the measures of one system, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[metrics.PooledScores] = []
        self._count = 0

    @torch.inference_mode()
    def add(
        self,
        L: Tensor,
        ab: Tensor,
        truth: Tensor,
        kept: list[int],
        own_L: Tensor | None = None,
    ) -> None:
        """Measure a batch.

        Args:
            L: (N, 1, H, W) in [-1, 1].
            ab: (N, 2, H, W), the system's colors, a*/110 and b*/110.
            truth: uint8 (N, 3, H, W).
            kept: which of the pictures are held in memory for ``outputs``.
            own_L: (N, 1, H, W), that of the system's pictures if they have another; its distance
                is told, and all else is measured on ``L``.
        """
        rgb = l_ab_to_rgb(L, ab)
        lab, true_rgb = rgb_to_lab(rgb), truth / 255
        scores = metrics.picture_scores(rgb, true_rgb)
        own_lab = lab if own_L is None else l_ab_to_lab(own_L, ab)
        scores["delta_l"] = metrics.delta_l(own_lab, l_ab_to_lab(L, ab))
        self._scores.append({name: value.cpu() for name, value in scores.items()})
        pairs = zip(lab.cpu().split(1), rgb_to_lab(true_rgb).cpu().split(1), strict=True)
        for pair in pairs:
            if self._count < _GROUPS:
                self._groups.append(metrics.PooledScores())
            self._groups[self._count % _GROUPS].add(*pair)
            self._count += 1
        self._outputs.append(to_bytes(rgb[kept]))

    def scores(self) -> dict[str, Score]:
        """Return every measure that needs no network."""
        return {
            **with_intervals(self.pictures()),
            "ab_js": self._pooled(lambda pooled: pooled.ab_js()),
            "chroma_w1": self._pooled(lambda pooled: pooled.chroma_w1()),
            "washout": self._pooled(lambda pooled: pooled.washout()),
            "auc": self._pooled(lambda pooled: pooled.auc()),
            "auc_rebalanced": self._pooled(lambda pooled: pooled.auc(rebalanced=True)),
        }

    def _pooled(self, measure: Callable[[metrics.PooledScores], float]) -> Score:
        """Return it with two standard errors by the delete-a-group jackknife (Kott 2001)."""
        value = measure(metrics.PooledScores.of(self._groups))
        count = len(self._groups)
        if count < 2 or math.isnan(value):
            return Score(value)
        without = [
            measure(metrics.PooledScores.of(self._groups[:i] + self._groups[i + 1 :]))
            for i in range(count)
        ]
        error = float(np.std(without)) * math.sqrt(count - 1)
        return Score(value, max(0.0, value - 2 * error), value + 2 * error)


def with_intervals(measures: dict[str, Tensor]) -> dict[str, Score]:
    """Return the scores of measures that are one number a picture, (N,) each."""
    values = {name: v.double().numpy() for name, v in measures.items()}
    colors, true_colors = values.pop("colorfulness"), values.pop("true_colorfulness")
    scores = {name: bootstrapped(v) for name, v in values.items()}
    return scores | {"colorfulness_ratio": bootstrapped(colors, true_colors)}


def bootstrapped(above: np.ndarray, below: np.ndarray | None = None) -> Score:
    """Return mean(above), / mean(below) if given, with its interval over resampled pictures."""
    if below is None:
        return of_means(lambda mean: mean, above)
    return of_means(np.divide, above, below)


def of_means(figure: Callable[..., np.ndarray], *values: np.ndarray) -> Score:
    """Return a figure of means over the pictures, with its interval over resampled pictures.

    Args:
        figure: gets the mean of each of ``values``, for all resamples at a time.
        values: (N,) each, of the same pictures.
    """
    random = np.random.default_rng(0)
    drawn = random.integers(len(values[0]), size=(_RESAMPLES, len(values[0])))
    value, resampled = (
        figure(*means) for means in ([v.mean() for v in values], [v[drawn].mean(1) for v in values])
    )
    if not np.isfinite(resampled).all():  # PSNR of a picture that equals the truth
        return Score(float(value))
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Score(float(value), float(low), float(high))


def to_bytes(rgb: Tensor) -> Tensor:
    """Return RGB (N, 3, H, W) in [0, 1] as uint8 on the CPU."""
    return (rgb * 255).round().byte().cpu()
