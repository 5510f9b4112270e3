"""Tables, JSON, CSV and contact sheets of evaluations."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2color.evaluation.protocol import GRAY, MODEL, Evaluation
from pix2color.evaluation.scores import Score
from pix2color.files import write_rows
from pix2color.imaging.io import from_array, write_picture

if TYPE_CHECKING:  # films need an extra
    from pix2color.evaluation.film_scores import FilmEvaluation

COLUMNS = ("gray", "ours", "truth")


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
    """Return a line a measure: the gray picture and the model, with 95 % intervals.

    Args:
        evaluation: the figures.
        pending: a measure that is not known yet and left out; ``line`` gives its line later.
    """
    lines = _ruled([cells for name, cells in _lines(evaluation).items() if name != pending])
    foot = f"{evaluation.photos} photos, {evaluation.left_out} left out (gray or unreadable)"
    return "\n".join([*lines, foot])


def line(evaluation: Evaluation, measure: str) -> str:
    """Return the line of one measure alone, as it would be in the table."""
    lines = _lines(evaluation)
    place = list(lines).index(measure) + 1  # below the heading stands a rule
    return _ruled(list(lines.values()))[place]


def _lines(evaluation: Evaluation) -> dict[str, tuple[str, ...]]:
    """Return the cells of the heading and of each measure, by its name."""
    lines: dict[str, tuple[str, ...]] = {"": ("measure", "better", GRAY, MODEL)}
    for name, measure in known_measures(evaluation.rows[MODEL]).items():
        cells = [cell(evaluation.rows[row][name], measure.digits) for row in (GRAY, MODEL)]
        lines[name] = (measure.heading, measure.better, *cells)
    return lines


def folders_table(evaluation: Evaluation) -> str:
    """Return a line a folder of photos: the model's measures that are one number a picture."""
    measures = {name: MEASURES[name] for name in BY_FOLDER}
    lines: list[tuple[str, ...]] = [
        ("folder", "photos", "gray ΔE00", *(m.heading for m in measures.values()))
    ]
    for name, folder in evaluation.folders.items():
        ours, gray = folder.rows[MODEL], folder.rows[GRAY]
        cells = [cell(ours[key], measure.digits) for key, measure in measures.items()]
        of_gray = cell(gray["delta_e"], measures["delta_e"].digits)
        lines.append((name, str(folder.photos), of_gray, *cells))
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
    folders = {
        name: {"photos": folder.photos, "rows": {k: plain(v) for k, v in folder.rows.items()}}
        for name, folder in evaluation.folders.items()
    }
    found = {**as_dict(evaluation), "folders": folders, "self_check": self_check}
    if curve:
        found["hints"] = {str(count): plain(scores) for count, scores in curve.items()}
    return json.dumps(found, indent=2)


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write a line a photo with the model's measures."""
    pictures = evaluation.pictures
    write_rows(path, [pictures[0].keys(), *(picture.values() for picture in pictures)])


def write_contact_sheet(
    samples: list[tuple[np.ndarray, ...]], path: Path, *, across: int = 2
) -> None:
    """Write samples as gray | ours | truth, ``across`` such groups side by side."""
    across = min(across, len(samples))
    rows = math.ceil(len(samples) / across)
    side, gap, head = samples[0][0].shape[1], 6, 34
    group = len(COLUMNS) * (side + gap) + 3 * gap
    size = (across * group - 2 * gap, head + rows * (side + gap) + gap)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for place in range(across):
        for column, title in enumerate(COLUMNS):
            left = gap + place * group + column * (side + gap)
            draw.text((left + side / 2, head / 2), title, "black", font, anchor="mm")
    for index, sample in enumerate(samples):
        row, place = divmod(index, across)
        for column, picture in enumerate(sample):
            left = gap + place * group + column * (side + gap)
            sheet.paste(from_array(picture), (left, head + row * (side + gap)))
    write_picture(path, sheet, own=True)


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
