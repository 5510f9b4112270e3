"""The metrics protocol: a model's figures on photos, beside those of the gray picture.

One protocol for everything, described in ``docs/metrics.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pix2color import metrics
from pix2color.color.lab import l_ab_to_lab, l_ab_to_rgb, rgb_to_l_ab, rgb_to_lab
from pix2color.data.batches import default_workers, evaluation_batches
from pix2color.data.film import EFFECTS, apply_effects
from pix2color.data.sources import Photo, collect
from pix2color.errors import DataError
from pix2color.evaluation.patch_critic import verdicts
from pix2color.evaluation.perceptual import Perceptual
from pix2color.inference.colorizer import Colorizer
from pix2color.progress import track

PROTOCOL_SIZE = 256
GRAY = "gray"
MODEL = "model"
_FILM = "film"
GIVEN = ("lab", "luma", _FILM, *EFFECTS)
"""What a model can be given to see."""
_BATCH = 8
_RESAMPLES = 1000
_GROUPS = 50  # of pictures, for the intervals of measures of all pixels together
_KEPT = 400  # at most so many pictures, evenly spread, are held in memory
# 8-bit luma of Rec. 601, which is what a gray JPEG holds.
_LUMA = (0.299, 0.587, 0.114)


class Score(NamedTuple):
    """A figure; ``low`` and ``high`` are its 95 % interval over the pictures, None if unknown."""

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
        folders: by the name of the folder that holds the photos: how many there are, and the
            measures that are one number a picture of each row (not of a known gray one).
    """

    photos: int
    left_out: int
    rows: dict[str, dict[str, Score]]
    pictures: list[dict[str, Any]] = field(repr=False)
    samples: list[tuple[np.ndarray, ...]] = field(repr=False)
    folders: dict[str, Folder] = field(repr=False, default_factory=dict)


class Folder(NamedTuple):
    """The part of an evaluation that is of one folder's photos."""

    photos: int
    rows: dict[str, dict[str, Score]]


def evaluate(
    colorizer: Colorizer,
    folders: list[Path],
    *,
    given: str = "lab",
    critic: bool = True,
    perceptual: Perceptual | None = None,
    samples: int = 12,
) -> Evaluation:
    """Score a model on the colour photos in ``folders``, searched recursively.

    Raises:
        MissingPathError: a folder is not there.
        DataError: there is no colour photo; the rest is as for ``evaluate_photos``.
    """
    photos = collect(folders)
    return evaluate_photos(
        colorizer, photos, given=given, critic=critic, perceptual=perceptual, samples=samples
    )


def evaluate_photos(
    colorizer: Colorizer,
    photos: list[Photo],
    *,
    given: str = "lab",
    critic: bool = True,
    perceptual: Perceptual | None = None,
    samples: int = 0,
    gray: dict[str, Score] | None = None,
) -> Evaluation:
    """Score a model on colour photos by the protocol.

    Args:
        colorizer: the model.
        photos: at least one.
        given: what the model gets to see, one of ``GIVEN``: ``lab``, the picture's own L*;
            ``luma``, its 8-bit luma, as a gray file would hold; ``film``, what is left of it on a
            worn black-and-white photo, or one such effect alone. Its colours are judged on the
            picture's own L* (on the luma, for ``luma``).
        critic: train the patch critic too, by far the slowest measure.
        perceptual: measures by trained networks, too.
        samples: how many pictures to keep for looking at, evenly spread.
        gray: the gray pictures' scores, if they are known from another model's evaluation; the
            samples are without the gray picture then.

    Raises:
        DataError: none of them has colour.
    """
    rows = {MODEL: _Row()} if gray else {GRAY: _Row(), MODEL: _Row()}
    paths: list[Path] = []
    kept: list[Tensor] = []  # truths of the pictures that critic and sheet use
    every = math.ceil(len(photos) / _KEPT)
    batches = evaluation_batches(
        photos,
        size=PROTOCOL_SIZE,
        batch_size=_BATCH,
        workers=default_workers(photos, colorizer.device),
    )
    with track("evaluate", len(photos), "photos") as progress:
        for pixels, names in batches:
            chosen = slice(-len(paths) % every, None, every)
            truth = pixels.to(colorizer.device)
            L, _ = rgb_to_l_ab(_gray_file(truth) if given == "luma" else truth)
            seen = L if given in ("lab", "luma") else _worn(truth, given, seed=len(paths))
            ab = _predicted(colorizer, seen)
            for name, row in rows.items():
                row.add(L, torch.zeros_like(ab) if name == GRAY else ab, truth, chosen)
            kept.append(pixels[chosen])
            paths += names
            progress(len(paths))
    if not paths:
        raise DataError(
            f"{photos[0].path.parent}: none of {len(photos)} photos has colour; give colour photos"
        )
    truths = torch.cat(kept)
    columns = [*(row.outputs() for row in rows.values()), truths]
    shown = np.linspace(0, len(truths) - 1, min(samples, len(truths))).round().astype(int)
    known = {GRAY: gray} if gray else {}
    scores = {name: row.scores(truths, critic, perceptual) for name, row in rows.items()}
    return Evaluation(
        photos=len(paths),
        left_out=len(photos) - len(paths),
        rows=known | scores,
        pictures=rows[MODEL].by_photo(paths),
        samples=[tuple(column[i].numpy() for column in columns) for i in shown],
        folders=_by_folder(paths, rows),
    )


def pictures_of(colorizer: Colorizer, photos: list[Photo]) -> dict[str, tuple[np.ndarray, ...]]:
    """By path, what the protocol looks at: (gray, model, truth), each uint8 (3, 256, 256)."""
    found: dict[str, tuple[np.ndarray, ...]] = {}
    for pixels, paths in evaluation_batches(photos, size=PROTOCOL_SIZE, batch_size=_BATCH):
        L, _ = rgb_to_l_ab(pixels.to(colorizer.device))
        ab = _predicted(colorizer, L)
        columns = [_bytes(l_ab_to_rgb(L, colors)) for colors in (torch.zeros_like(ab), ab)]
        for path, *triple in zip(paths, *columns, pixels, strict=True):
            found[str(path)] = tuple(picture.numpy() for picture in triple)
    return found


def _by_folder(paths: list[Path], rows: dict[str, _Row]) -> dict[str, Folder]:
    names = np.array([path.parent.name for path in paths])
    values = {name: row.pictures() for name, row in rows.items()}
    return {
        str(folder): Folder(
            int((names == folder).sum()),
            {
                row: _by_picture({k: v[names == folder] for k, v in measures.items()})
                for row, measures in values.items()
            },
        )
        for folder in np.unique(names)
    }


def _by_picture(measures: dict[str, Tensor]) -> dict[str, Score]:
    """Scores of the measures that are one number a picture, (N,) each."""
    values = {name: v.double().numpy() for name, v in measures.items()}
    colors, true_colors = values.pop("colorfulness"), values.pop("true_colorfulness")
    scores = {name: _bootstrapped(v) for name, v in values.items()}
    return scores | {"colorfulness_ratio": _bootstrapped(colors, true_colors)}


def _predicted(colorizer: Colorizer, L: Tensor) -> Tensor:
    return colorizer.predict_ab(L.cpu()).to(L.device)


def _worn(truth: Tensor, given: str, *, seed: int) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return apply_effects(truth, EFFECTS if given == _FILM else (given,))


def _bytes(rgb: Tensor) -> Tensor:
    return (rgb * 255).round().byte().cpu()


class _Row:
    """Collects one line of the table."""

    def __init__(self) -> None:
        self._outputs: list[Tensor] = []
        self._scores: list[dict[str, Tensor]] = []
        self._groups: list[metrics.PooledScores] = []
        self._count = 0

    @torch.inference_mode()
    def add(self, L: Tensor, ab: Tensor, truth: Tensor, kept: slice) -> None:
        rgb = l_ab_to_rgb(L, ab)
        lab, true_rgb = rgb_to_lab(rgb), truth / 255
        scores = metrics.picture_scores(rgb, true_rgb)
        scores["delta_l"] = metrics.delta_l(lab, l_ab_to_lab(L, ab))
        self._scores.append({name: value.cpu() for name, value in scores.items()})
        pairs = zip(lab.cpu().split(1), rgb_to_lab(true_rgb).cpu().split(1), strict=True)
        for pair in pairs:
            if self._count < _GROUPS:
                self._groups.append(metrics.PooledScores())
            self._groups[self._count % _GROUPS].add(*pair)
            self._count += 1
        self._outputs.append(_bytes(rgb[kept]))

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

    def scores(
        self, truths: Tensor, critic: bool, perceptual: Perceptual | None
    ) -> dict[str, Score]:
        seen: dict[str, Score] = {}
        if perceptual is not None:
            for name, by_picture in perceptual.by_picture(self.outputs(), truths).items():
                seen[name] = _bootstrapped(by_picture.double().numpy())
            distances = perceptual.pooled(self.outputs(), truths)
            seen |= {name: Score(value) for name, value in distances.items()}
        return {
            **_by_picture(self.pictures()),
            "ab_js": self._pooled(lambda pooled: pooled.ab_js()),
            "chroma_w1": self._pooled(lambda pooled: pooled.chroma_w1()),
            "washout": self._pooled(lambda pooled: pooled.washout()),
            "auc": self._pooled(lambda pooled: pooled.auc()),
            "auc_rebalanced": self._pooled(lambda pooled: pooled.auc(rebalanced=True)),
            "critic": self._critic(truths) if critic else Score(math.nan),
            **seen,
        }

    def _pooled(self, measure: Callable[[metrics.PooledScores], float]) -> Score:
        """With two standard errors by the delete-a-group jackknife (Kott 2001)."""
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

    def _critic(self, truths: Tensor) -> Score:
        right = verdicts(self.outputs(), truths)
        return _bootstrapped(right.double().numpy()) if len(right) else Score(math.nan)


def _gray_file(pixels: Tensor) -> Tensor:
    """The pictures as a gray file would hold them, uint8 with three equal channels."""
    weights = torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).round().byte().expand_as(pixels)


def _bootstrapped(above: np.ndarray, below: np.ndarray | None = None) -> Score:
    """mean(above), / mean(below) if given, with its interval over resampled pictures."""
    below = np.ones_like(above) if below is None else below
    random = np.random.default_rng(0)
    drawn = random.integers(len(above), size=(_RESAMPLES, len(above)))
    resampled = above[drawn].mean(1) / below[drawn].mean(1)
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Score(float(above.mean() / below.mean()), float(low), float(high))
