"""Tables, JSON and CSV of evaluations."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pix2color.evaluation.differences import difference
from pix2color.evaluation.protocol import Evaluation
from pix2color.evaluation.scores import Score
from pix2color.evaluation.systems import GRAY
from pix2color.files import write_rows

if TYPE_CHECKING:  # films need an extra
    from pix2color.evaluation.film_scores import FilmEvaluation


class Measure(NamedTuple):
    """The way a measure is shown: heading, digits, which way is better, and what it says."""

    heading: str
    digits: int = 3
    better: str = ""
    meaning: str = ""


MEASURES = {  # others come last, by their name
    "psnr": Measure("PSNR dB", 2, "↑", "Nearness of the RGB values. Rewards washed-out colours."),
    "ab_psnr": Measure("PSNR of ab dB", 2, "↑", "Nearness of the colours alone, without L*."),
    "ssim": Measure("SSIM", 4, "↑", "Likeness of structure. Gray has above 0.9: no headline."),
    "delta_e": Measure("ΔE00", 2, "↓", "Mean colour difference as people see it (CIEDE2000)."),
    "delta_mean_ab": Measure(
        "Δ mean ab", 2, "↓", "How far the picture's mean colour, its mood, is from the truth's."
    ),
    "delta_l": Measure("|ΔL*|", 3, "↓", "How far the luminance has moved; only rounding should."),
    "colorfulness_ratio": Measure(
        "colourfulness ratio", 3, "→ 1", "Amount of colour against the truth's; 0 is gray."
    ),
    "delta_colorfulness": Measure(
        "|Δ colourfulness|", 2, "↓", "Distance of each picture's amount of colour from the truth's."
    ),
    "ab_js": Measure("ab-JS", 4, "↓", "How unlike the truth's the distribution of colours is."),
    "chroma_w1": Measure(
        "chroma W1", 2, "↓", "How unlike the truth's the distribution of chroma is."
    ),
    "washout": Measure("wash-out", 3, "↓", "Share of the colourful pixels that were left gray."),
    "auc": Measure("AuC", 4, "↑", "Share of the pixels with a small colour error."),
    "auc_rebalanced": Measure(
        "AuC rebalanced", 4, "↑", "The same, rare colours weighing as much as common ones."
    ),
    "critic": Measure(
        "patch critic", 3, "→ 0.5", "How often a fresh network tells the result from a true photo."
    ),
    "lpips": Measure("LPIPS", 4, "↓", "Unlikeness as a trained network sees it."),
    "fid": Measure("FID", 2, "↓", "How unlike the truths the results are, all together."),
    "kid": Measure("KID", 4, "↓", "The same, without the bias of small sets."),
    "frechet_lite0": Measure(
        "Fréchet, Lite0", 2, "↓", "As FID, through EfficientNet-Lite0 instead of Inception."
    ),
    "kid_lite0": Measure("KID, Lite0", 4, "↓", "As KID, through EfficientNet-Lite0."),
    "cf": Measure("CF", 2, "", "Amount of colour, as the papers compute it."),
    "delta_cf": Measure("ΔCF", 2, "↓", "Distance of the mean amount of colour from the truth's."),
    "warping_error": Measure(
        "warping error", 3, "↓", "How much ab changes along the motion of the true film."
    ),
    "cdc": Measure("CDC", 5, "→ true", "How much the histograms change from frame to frame."),
}
BY_FOLDER = ("delta_e", "psnr", "colorfulness_ratio")
WITH_HINTS = ("psnr", "delta_e", "colorfulness_ratio")
PERCEPTUAL = ("lpips", "fid", "kid", "frechet_lite0", "kid_lite0")
"""Those that are there only if they are asked for."""


def known_measures(scores: Iterable[str]) -> dict[str, Measure]:
    """Return how measures of those names are shown, in the order of the tables."""
    names = list(scores)
    order = sorted(names, key=[*MEASURES, *names].index)
    return {name: MEASURES.get(name, Measure(name)) for name in order}


def table(evaluation: Evaluation, pending: str | None = None) -> str:
    """Return a line a measure: the gray picture and each system, with 95 % intervals.

    Args:
        evaluation: the figures.
        pending: a measure that is not known yet and left out; ``line`` gives its line later.
    """
    lines = [cells for name, cells in _lines(evaluation).items() if name != pending]
    if len(evaluation.systems) > 1:
        counts = (len(found.pictures) for found in evaluation.systems.values())
        lines.append(("photos", "", *map(str, (evaluation.photos, *counts))))
    foot = f"{evaluation.photos} photos, {evaluation.left_out} left out (gray or unreadable)"
    return "\n".join([*_ruled(lines), foot])


def line(evaluation: Evaluation, measure: str) -> str:
    """Return the line of one measure alone, as it would be in the table."""
    lines = _lines(evaluation)
    place = list(lines).index(measure) + 1  # below the heading stands a rule
    return _ruled(list(lines.values()))[place]


def _lines(evaluation: Evaluation) -> dict[str, tuple[str, ...]]:
    """Return the cells of the heading and of each measure, by its name."""
    rows = evaluation.rows
    lines: dict[str, tuple[str, ...]] = {"": ("measure", "better", *rows)}
    for name, measure in known_measures(rows[GRAY]).items():
        cells = [cell(scores[name], measure.digits) for scores in rows.values()]
        lines[name] = (measure.heading, measure.better, *cells)
    return lines


def differences_table(evaluation: Evaluation) -> str:
    """Return a line a measure: how each other system differs from the first, on the same photos."""
    first, *others = evaluation.systems
    found = {
        name: difference(evaluation.systems[name], evaluation.systems[first]) for name in others
    }
    known = {name: d for name, d in found.items() if d is not None}
    heads = (f"{name}, {d.photos} photos" for name, d in known.items())
    lines: list[tuple[str, ...]] = [(f"less {first}", "better", *heads)]
    measures = known_measures(next(iter(known.values())).scores if known else ())
    for name, measure in measures.items():
        cells = [cell(d.scores[name], measure.digits) for d in known.values()]
        better = measure.better if measure.better in ("↑", "↓") else ""
        lines.append((measure.heading, better, *cells))
    return "\n".join(_ruled(lines))


def folders_table(evaluation: Evaluation) -> str:
    """Return a line a folder of photos, and a system, if there are several.

    It has the measures that are one number a picture.
    """
    measures = {name: MEASURES[name] for name in BY_FOLDER}
    several = len(evaluation.systems) > 1
    lines: list[tuple[str, ...]] = [
        (
            "folder",
            *["system"] * several,
            "photos",
            "gray ΔE00",
            *(m.heading for m in measures.values()),
        )
    ]
    for name, folder in evaluation.folders.items():
        of_gray = cell(folder.rows[GRAY]["delta_e"], measures["delta_e"].digits)
        for system in evaluation.systems:
            scores = folder.rows.get(system)  # it may have none of the folder's pictures
            if scores is not None:
                cells = [cell(scores[key], measure.digits) for key, measure in measures.items()]
                place = (name, *[system] * several, str(folder.photos))
                lines.append((*place, of_gray, *cells))
    return "\n".join(_ruled(lines))


def hints_table(curve: dict[int, dict[str, Score]]) -> str:
    """Return a line for each number of hints: the model's measures with them."""
    measures = {name: MEASURES[name] for name in WITH_HINTS}
    lines: list[tuple[str, ...]] = [("hints", *(m.heading for m in measures.values()))]
    for count, scores in curve.items():
        cells = [cell(scores[name], measure.digits) for name, measure in measures.items()]
        lines.append((str(count), *cells))
    return "\n".join(_ruled(lines))


def film_table(title: str, evaluation: FilmEvaluation) -> str:
    """Return a line a row of a film's figures, below its title."""
    measures = known_measures(evaluation.rows[GRAY])
    lines: list[tuple[str, ...]] = [
        ("row", *(f"{m.heading} {m.better}" for m in measures.values()))
    ]
    for row, scores in evaluation.rows.items():
        cells = [cell(Score(scores[name]), m.digits) for name, m in measures.items()]
        lines.append((row, *cells))
    return "\n".join([f"{title}, {evaluation.frames} frames", *_ruled(lines)])


def film_as_dict(evaluation: FilmEvaluation) -> dict[str, Any]:
    """Return the frames and rows of a film, for JSON; a figure that could not be had is null."""
    rows = {
        row: {name: _finite(value) for name, value in scores.items()}
        for row, scores in evaluation.rows.items()
    }
    return {"frames": evaluation.frames, "rows": rows}


def _ruled(lines: list[tuple[str, ...]]) -> list[str]:
    """Return columns of text below their headings, with rules."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    rule = "-" * len(max(text, key=len))
    return [text[0], rule, *text[1:], rule]


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
    found = as_dict(evaluation)
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


def cell(score: Score, digits: int) -> str:
    """Return a figure with its interval, as in all tables."""
    if math.isnan(score.value):
        return "–"
    text = f"{score.value:.{digits}f}"
    if score.low is None or score.high is None:
        return text
    return f"{text} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def aligned(lines: list[list[str]]) -> str:
    """Return lines of cells as a Markdown table whose source is a table, too."""
    lines = [[text.replace("|", r"\|") for text in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], rule, *lines[1:])
    )
