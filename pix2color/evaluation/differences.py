"""Systems against each other: the difference of their figures on the photos that both have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pix2color.evaluation.scores import Score, bootstrapped, of_means
from pix2color.evaluation.systems import Found

_NO_FIGURES = ("photo", "true_colorfulness", "true_cf")


@dataclass(frozen=True)
class Difference:
    """How a system's figures differ from another's.

    Attributes:
        photos: how many both have a picture of.
        scores: its figure less the other's, by the measure; the interval is of the differences,
            narrower than those of the figures, since both have the same photos.
    """

    photos: int
    scores: dict[str, Score]


def difference(system: Found, other: Found) -> Difference | None:
    """Return how a system differs from another by the measures that are one number a picture.

    None if there is no photo that both have.
    """
    others = {picture["photo"]: picture for picture in other.pictures}
    pairs = [(p, others[p["photo"]]) for p in system.pictures if p["photo"] in others]
    if not pairs:
        return None
    names = [name for name in pairs[0][0] if name not in _NO_FIGURES]
    ours, theirs = (
        {name: np.array([pair[side][name] for pair in pairs]) for name in names} for side in (0, 1)
    )
    scores = {name: _mean(ours[name], theirs[name]) for name in names if name != "colorfulness"}
    if "colorfulness" in ours:
        truth = np.array([pair[0]["true_colorfulness"] for pair in pairs])
        scores["colorfulness_ratio"] = of_means(
            lambda a, b, true: (a - b) / true, ours["colorfulness"], theirs["colorfulness"], truth
        )
    return Difference(len(pairs), scores)


def _mean(ours: np.ndarray, theirs: np.ndarray) -> Score:
    """Return the mean difference; pictures that equal the truth have an infinite PSNR."""
    finite = np.isfinite(ours) & np.isfinite(theirs)
    if not finite.any():
        return Score(float("nan"))
    return bootstrapped((ours - theirs)[finite])
