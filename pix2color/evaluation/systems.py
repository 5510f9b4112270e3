"""What is judged: a model, the pictures of another program, and the gray picture beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pix2color.color.lab import l_ab_to_rgb, rgb_to_l_ab
from pix2color.data.film import EFFECTS, apply_effects
from pix2color.errors import DataError
from pix2color.evaluation.papers import PapersRow
from pix2color.evaluation.predictions import Predictions
from pix2color.evaluation.scores import Row, to_bytes
from pix2color.evaluation.squares import Squares
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.network import predict_colors
from pix2color.models.render import render

GRAY = "gray"
MODEL = "model"
_FILM = "film"
INPUTS = ("lab", "luma", _FILM, *EFFECTS)
"""The kinds of gray picture that a model can be evaluated on."""
# 8-bit luma of Rec. 601, which is what a gray JPEG holds.
_LUMA = (0.299, 0.587, 0.114)

System = Colorizer | Predictions | None
"""A model, or what a program has made of the photos; None is the gray picture."""


class Seen(NamedTuple):
    """A batch as systems are judged on it.

    Attributes:
        squares: of the photos and the predictions.
        truths: uint8 (N, 3, 256, 256), on the device.
        L: (N, 1, 256, 256), the luminance of all results.
        given: (N, 1, 256, 256), what a model gets to see.
        chosen: positions of the pictures that are kept.
        kept: how many were kept before.
        features: of the truths, for FID.
    """

    squares: Squares
    truths: Tensor
    L: Tensor
    given: Tensor
    chosen: list[int]
    kept: int
    features: Tensor | None


def seen_of(truth: Tensor, model_input: str, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the truths themselves, their L, and what a model gets to see of them.

    Args:
        truth: uint8 (N, 3, H, W).
        model_input: one of ``INPUTS``.
        number: of the first photo; decides what film is like.
    """
    L, _ = rgb_to_l_ab(_gray_file(truth) if model_input == "luma" else truth)
    own = model_input in ("lab", "luma")
    return truth, L, L if own else _worn(truth, model_input, seed=number)


def usable(batch: Squares, system: System) -> tuple[list[int], Tensor | None]:
    """Return of which photos of a batch a system has something, and its pictures of them.

    A model has of all; its pictures are not made yet.
    """
    if not isinstance(system, Predictions):
        return list(range(len(batch.paths))), None
    outputs = batch.outputs[system.name]
    there = [i for i, output in enumerate(outputs) if isinstance(output, np.ndarray)]
    pictures = [torch.from_numpy(outputs[i]) for i in there]
    return there, torch.stack(pictures) if pictures else None


def made(system: System, L: Tensor, pictures: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return the ab (N, 2, H, W) of a system, and the L of its pictures if it has made them itself.

    Args:
        system: which.
        L: (N, 1, H, W), what a model gets to see.
        pictures: a program's, uint8 (N, 3, H, W).
    """
    if pictures is not None:
        own_L, ab = rgb_to_l_ab(pictures)
        # Of gray, rounding leaves a trace, and which side of zero it is on counts in histograms.
        colored = pictures.amax(1, keepdim=True) > pictures.amin(1, keepdim=True)
        return ab * colored, own_L
    if isinstance(system, Colorizer):
        return predicted_ab(system, L), None
    return torch.zeros_like(L).expand(-1, 2, -1, -1), None


@dataclass
class Found:
    """What was found of one system, photo by photo.

    Attributes:
        pictures: a dict a photo: its path and the system's measures.
        missing: photos of which it has no picture.
        unusable: why a picture of it could not be judged, by the photo.
    """

    pictures: list[dict[str, Any]]
    missing: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)


@dataclass
class Judged:
    """Collects what a system made of the photos, batch by batch.

    Attributes:
        system: which.
        row: its measures.
        paths: photos that it has made something of.
        places: where those of its pictures that are kept are among the kept truths.
        missing, unusable: as in ``Found``.
    """

    system: System
    row: Row | PapersRow
    paths: list[Path] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)

    def add(self, batch: Seen) -> None:
        """Measure a batch."""
        self._note(batch.squares)
        there, pictures = usable(batch.squares, self.system)
        if not there:
            return
        self.paths += [batch.squares.paths[i] for i in there]
        kept = [k for k, i in enumerate(there) if i in batch.chosen]
        self.places += [batch.kept + batch.chosen.index(there[k]) for k in kept]
        truth, L = batch.truths[there], batch.L[there]
        pictures = None if pictures is None else pictures.to(truth.device)
        ab, own_L = made(self.system, batch.given[there], pictures)
        if isinstance(self.row, Row):
            self.row.add(L, ab, truth, kept, own_L)
            return
        if pictures is None:
            pictures = to_bytes(l_ab_to_rgb(L, ab)).to(truth.device)
        features = None if batch.features is None else batch.features[there]
        self.row.add(pictures, truth, kept, features)

    def check(self) -> None:
        """Check that there was something to judge.

        Raises:
            DataError: there was not.
        """
        if isinstance(self.system, Predictions) and not self.paths:
            why = next(iter(self.unusable.values()), "has no picture of the photos in colour")
            raise DataError(f"{self.system.folder.path}: nothing in it can be judged; {why}")

    def found(self) -> Found:
        """Return what was found."""
        return Found(self.row.by_photo(self.paths), self.missing, self.unusable)

    def _note(self, batch: Squares) -> None:
        """Remember of which photos there is no picture, or none that can be judged."""
        if isinstance(self.system, Predictions):
            for path, output in zip(batch.paths, batch.outputs[self.system.name], strict=True):
                if output is None:
                    self.missing.append(str(path))
                elif isinstance(output, str):
                    self.unusable[str(path)] = output


def predicted_ab(colorizer: Colorizer, L: Tensor, *hints: Tensor) -> Tensor:
    """Return the ab (N, 2, H, W) that a model predicts of ``L`` (N, 1, H, W) at its render size.

    A model that takes hints can be given them besides, (N, 3, H, W).
    """

    def predict(*given: Tensor) -> Tensor:
        arrays = (np.ascontiguousarray(x.cpu().numpy()) for x in given)
        return torch.from_numpy(predict_colors(colorizer.network, *arrays)).to(L.device)

    return render(predict, L, colorizer.info.render_size, *hints)


def _worn(truth: Tensor, effect: str, *, seed: int) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return apply_effects(truth, EFFECTS if effect == _FILM else (effect,))


def _gray_file(pixels: Tensor) -> Tensor:
    """Return the pictures as a gray file would hold them, uint8 with three equal channels."""
    weights = torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).round().byte().expand_as(pixels)
