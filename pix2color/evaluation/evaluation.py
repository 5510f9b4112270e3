"""The figures of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from pix2color.evaluation.scores import Score
from pix2color.evaluation.squares import OWN, Protocol
from pix2color.evaluation.systems import Found


class Kept(NamedTuple):
    """Pictures that are held in memory, at most 400, evenly spread: uint8 (K, 3, 256, 256) each.

    Attributes:
        outputs: by the row's name; a system need not have all of them.
        places: where those are among the truths, by the row's name.
        truths: of all of them.
    """

    outputs: dict[str, Tensor]
    places: dict[str, list[int]]
    truths: Tensor


class Folder(NamedTuple):
    """The part of an evaluation that is of one folder's photos."""

    photos: int
    rows: dict[str, dict[str, Score]]


@dataclass
class Evaluation:
    """The figures of systems on photos.

    Attributes:
        photos: how many were evaluated.
        left_out: how many were gray or unreadable.
        rows: ``gray`` and each system, each a score by the measure's name.
        systems: what was found of each system.
        folders: by the name of the folder that holds the photos: how many there are, and the
            measures that are one number a picture of each row (not of a known gray one).
        kept: what later measures look at; None for an evaluation that was read from a file.
        protocol: that was followed.
    """

    photos: int
    left_out: int
    rows: dict[str, dict[str, Score]]
    systems: dict[str, Found] = field(repr=False)
    folders: dict[str, Folder] = field(repr=False, default_factory=dict)
    kept: Kept | None = field(repr=False, default=None)
    protocol: Protocol = field(repr=False, default=OWN)

    @property
    def pictures(self) -> list[dict[str, Any]]:
        """A dict a photo: its path and the measures of the first system."""
        return next(iter(self.systems.values())).pictures

    def samples(self, count: int) -> list[tuple[np.ndarray | None, ...]]:
        """Return (gray, each system, truth) of so many kept photos, each uint8 (3, 256, 256).

        A picture that is missing is None.
        """
        assert self.kept is not None
        kept, total = self.kept, len(self.kept.truths)
        columns = [
            dict(zip(kept.places[row], outputs, strict=True))
            for row, outputs in kept.outputs.items()
        ]
        shown = np.linspace(0, total - 1, min(count, total)).round().astype(int)
        return [
            (*(c[i].numpy() if i in c else None for c in columns), kept.truths[i].numpy())
            for i in shown.tolist()
        ]
