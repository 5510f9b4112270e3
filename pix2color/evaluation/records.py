"""Figures of evaluations as JSON and CSV."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2color.evaluation.differences import difference
from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.papers import POINTS_OF_DIFFERENCE, PUBLISHED_PHOTOS
from pix2color.evaluation.scores import Score
from pix2color.evaluation.squares import OWN
from pix2color.files import write_rows

if TYPE_CHECKING:  # films need an extra
    from pix2color.evaluation.film_scores import FilmEvaluation


def plain(scores: dict[str, Score]) -> dict[str, list[float | None]]:
    """Return value, low and high for JSON; a figure that could not be had is null."""
    return {name: [_finite(v) for v in score] for name, score in scores.items()}


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return the rows and counts, for JSON."""
    rows = {row: plain(scores) for row, scores in evaluation.rows.items()}
    return {"photos": evaluation.photos, "left_out": evaluation.left_out, "rows": rows}


def to_json(
    evaluation: Evaluation, self_check: dict[str, Any], curve: dict[int, dict[str, Score]]
) -> str:
    """Return the rows and counts of all photos and of each folder's, the self-check and the hints.

    ``curve`` has the measures by the number of hints; it may be empty.
    """
    found = as_dict(evaluation) | {"protocol": evaluation.protocol.name}
    if evaluation.protocol.papers:
        found["points_of_difference"] = points_of_difference(evaluation)
    if evaluation.folders:
        found["folders"] = {
            name: {"photos": folder.photos, "rows": {k: plain(v) for k, v in folder.rows.items()}}
            for name, folder in evaluation.folders.items()
        }
    found["self_check"] = self_check
    if len(evaluation.systems) > 1:
        found["predictions"] = _predictions(evaluation)
    if curve:
        found["hints"] = {str(count): plain(scores) for count, scores in curve.items()}
    return json.dumps(found, indent=2)


def _predictions(evaluation: Evaluation) -> dict[str, Any]:
    """Return what is to be said of each system but the first beside its row, for JSON."""
    first, *others = evaluation.systems.values()
    told = {}
    for name, found in zip(list(evaluation.systems)[1:], others, strict=True):
        less = difference(found, first)
        told[name] = {
            "photos": len(found.pictures),
            "missing": found.missing,
            "unusable": found.unusable,
            "less_model": less and {"photos": less.photos, "scores": plain(less.scores)},
        }
    return told


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write a line a photo with the model's measures.

    If there are several systems, there is a line for each of them and photo, which says why there
    are no measures where there are none.
    """
    pictures = evaluation.pictures
    if len(evaluation.systems) == 1:
        write_rows(path, [pictures[0].keys(), *(picture.values() for picture in pictures)])
        return
    measures = list(pictures[0])[1:]
    lines: list[list[object]] = [["system", "photo", *measures, "note"]]
    for name, found in evaluation.systems.items():
        lines += [[name, *picture.values(), ""] for picture in found.pictures]
        notes = dict.fromkeys(found.missing, "missing") | found.unusable
        lines += [[name, photo, *[""] * len(measures), note] for photo, note in notes.items()]
    write_rows(path, lines)


def points_of_difference(evaluation: Evaluation) -> list[str]:
    """Return a line for each point in which the papers' protocol is another than ours."""
    protocol = evaluation.protocol
    if not protocol.papers:
        return []
    points = [
        f"published figures are of {PUBLISHED_PHOTOS} photos or more; these are of "
        f"{evaluation.photos}",
        f"squares are cut otherwise: {protocol.squares} (ours: {OWN.squares})",
        *POINTS_OF_DIFFERENCE,
    ]
    return [f"{protocol.name}: {point}" for point in points]


def film_as_dict(evaluation: FilmEvaluation) -> dict[str, Any]:
    """Return the frames and rows of a film, for JSON; a figure that could not be had is null."""
    rows = {
        row: {name: _finite(value) for name, value in scores.items()}
        for row, scores in evaluation.rows.items()
    }
    return {"frames": evaluation.frames, "rows": rows}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
