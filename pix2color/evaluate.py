"""The metrics protocol: a model's figures on photos, beside those of the gray picture.

One protocol for everything, described in ``docs/metrics.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pix2color import color, console, metrics
from pix2color.colorizer import Colorizer
from pix2color.data.loader import default_workers, evaluation_batches
from pix2color.data.photos import collect
from pix2color.errors import DataError
from pix2color.patch_critic import balanced_accuracy

PROTOCOL_SIZE = 256
GRAY = "gray"
MODEL = "model"
_BATCH = 8
_RESAMPLES = 1000
_KEPT = 400  # at most so many pictures, evenly spread, are held in memory
# 8-bit luma of Rec. 601, which is what a gray JPEG holds.
_LUMA = (0.299, 0.587, 0.114)


class Score(NamedTuple):
    """A figure; ``low`` and ``high`` are its bootstrap 95 % interval over the pictures.

    They are None for measures of all pixels together.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass
class Evaluation:
    """What ``evaluate`` found.

    Attributes:
        photos: how many were evaluated.
        left_out: how many were gray or unreadable.
        rows: ``gray`` and ``model``, each a score by the measure's name.
        pictures: a dict a photo: its path and the model's measures.
        samples: (gray, model, truth), each uint8 (3, 256, 256).
    """

    photos: int
    left_out: int
    rows: dict[str, dict[str, Score]]
    pictures: list[dict[str, Any]] = field(repr=False)
    samples: list[tuple[np.ndarray, ...]] = field(repr=False)


def evaluate(
    colorizer: Colorizer,
    folders: list[Path],
    *,
    given: Literal["lab", "luma"] = "lab",
    critic: bool = True,
    samples: int = 12,
) -> Evaluation:
    """Score a model on colour photos by the protocol.

    Args:
        colorizer: the model.
        folders: searched recursively.
        given: what the model gets to see: ``lab``, the picture's own L*, or ``luma``, its
            8-bit luma, as a gray file would hold.
        critic: train the patch critic too, by far the slowest measure.
        samples: how many pictures to keep for looking at, evenly spread.

    Raises:
        MissingPathError: a folder is not there.
        DataError: there is no colour photo.
    """
    photos = collect(folders)
    rows = {GRAY: _Row(), MODEL: _Row()}
    paths: list[Path] = []
    kept: list[Tensor] = []  # truths of the pictures that critic and sheet use
    every = math.ceil(len(photos) / _KEPT)
    batches = evaluation_batches(
        photos,
        size=PROTOCOL_SIZE,
        batch_size=_BATCH,
        workers=default_workers(photos, colorizer.device),
    )
    with console.progress("evaluate", len(photos), "photos") as progress:
        for pixels, names in batches:
            chosen = slice(-len(paths) % every, None, every)
            truth = pixels.to(colorizer.device)
            L, _ = color.encode(_gray_file(truth) if given == "luma" else truth)
            ab = colorizer.predict_ab(L.cpu()).to(L.device)
            rows[MODEL].add(L, ab, truth, chosen)
            rows[GRAY].add(L, torch.zeros_like(ab), truth, chosen)
            kept.append(pixels[chosen])
            paths += names
            progress(len(paths))
    if not paths:
        raise DataError(
            f"{folders[0]}: none of {len(photos)} photos has colour; give colour photos"
        )
    truths = torch.cat(kept)
    columns = [rows[GRAY].outputs(), rows[MODEL].outputs(), truths]
    shown = np.linspace(0, len(truths) - 1, min(samples, len(truths))).round().astype(int)
    return Evaluation(
        photos=len(paths),
        left_out=len(photos) - len(paths),
        rows={name: row.scores(truths, critic=critic) for name, row in rows.items()},
        pictures=rows[MODEL].by_photo(paths),
        samples=[tuple(column[i].numpy() for column in columns) for i in shown],
    )


class _Row:
    """Collects one line of the table."""

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._scores: list[dict[str, Tensor]] = []
        self._pooled = metrics.PooledScores()

    @torch.inference_mode()
    def add(self, L: Tensor, ab: Tensor, truth: Tensor, kept: slice) -> None:
        rgb = color.decode(L, ab)
        lab, true_rgb = color.rgb_to_lab(rgb), truth / 255
        scores = metrics.picture_scores(rgb, true_rgb)
        scores["delta_l"] = metrics.delta_l(lab, color.to_lab(L, ab))
        self._scores.append({name: value.cpu() for name, value in scores.items()})
        self._pooled.add(lab.cpu(), color.rgb_to_lab(true_rgb).cpu())
        self._outputs.append((rgb[kept] * 255).round().byte().cpu())

    def outputs(self) -> Tensor:
        """The pictures kept, uint8 (K, 3, H, W)."""
        return torch.cat(self._outputs)

    def pictures(self) -> dict[str, Tensor]:
        """Every measure that is one number a picture, (N,)."""
        return {name: torch.cat([s[name] for s in self._scores]) for name in self._scores[0]}

    def by_photo(self, paths: list[Path]) -> list[dict[str, Any]]:
        values = {name: v.tolist() for name, v in self.pictures().items()}
        return [
            {"photo": str(path), **{name: v[i] for name, v in values.items()}}
            for i, path in enumerate(paths)
        ]

    def scores(self, truths: Tensor, *, critic: bool) -> dict[str, Score]:
        values = {name: v.double().numpy() for name, v in self.pictures().items()}
        colors, true_colors = values.pop("colorfulness"), values.pop("true_colorfulness")
        pooled = self._pooled
        return {
            **{name: _bootstrapped(v, np.ones_like(v)) for name, v in values.items()},
            "colorfulness_ratio": _bootstrapped(colors, true_colors),
            "ab_js": Score(pooled.ab_js()),
            "chroma_w1": Score(pooled.chroma_w1()),
            "washout": Score(pooled.washout()),
            "auc": Score(pooled.auc()),
            "auc_rebalanced": Score(pooled.auc(rebalanced=True)),
            "critic": Score(balanced_accuracy(self.outputs(), truths) if critic else math.nan),
        }


def _gray_file(pixels: Tensor) -> Tensor:
    """The pictures as a gray file would hold them, uint8 with three equal channels."""
    weights = torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).round().byte().expand_as(pixels)


def _bootstrapped(above: np.ndarray, below: np.ndarray) -> Score:
    """mean(above) / mean(below) with its interval over resampled pictures."""
    random = np.random.default_rng(0)
    drawn = random.integers(len(above), size=(_RESAMPLES, len(above)))
    resampled = above[drawn].mean(1) / below[drawn].mean(1)
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Score(float(above.mean() / below.mean()), float(low), float(high))
