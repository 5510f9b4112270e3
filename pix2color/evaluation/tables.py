"""Tables of evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pix2color.evaluation.differences import difference
from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.records import points_of_difference
from pix2color.evaluation.scores import Score
from pix2color.evaluation.systems import GRAY

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
    "true_cf": Measure("CF of the truths", 2, "", "The same of the true photos."),
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
ELSEWHERE = ("cf", "true_cf", "delta_cf", "warping_error", "cdc")
"""Those of the papers' protocols and of films alone."""


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
    return "\n".join([*_ruled(lines), foot, *points_of_difference(evaluation)])


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
    which = (lambda name: (name,)) if len(evaluation.systems) > 1 else (lambda name: ())
    lines: list[tuple[str, ...]] = [
        ("folder", *which("system"), "photos", "gray ΔE00", *(m.heading for m in measures.values()))
    ]
    for name, folder in evaluation.folders.items():
        of_gray = cell(folder.rows[GRAY]["delta_e"], measures["delta_e"].digits)
        for system, found in evaluation.systems.items():
            count = sum(Path(picture["photo"]).parent.name == name for picture in found.pictures)
            if count:
                scores = folder.rows[system]
                cells = [cell(scores[key], measure.digits) for key, measure in measures.items()]
                lines.append((name, *which(system), str(count), of_gray, *cells))
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


def _ruled(lines: list[tuple[str, ...]]) -> list[str]:
    """Return columns of text below their headings, with rules."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    rule = "-" * len(max(text, key=len))
    return [text[0], rule, *text[1:], rule]


def cell(score: Score, digits: int) -> str:
    """Return a figure with its interval, as in all tables."""
    if math.isnan(score.value):
        return "–"
    text = f"{score.value:.{digits}f}"
    if score.low is None or score.high is None:
        return text
    return f"{text} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def aligned(lines: list[list[str]]) -> str:
    """Return lines of cells as a Markdown table whose source is a table, too."""
    lines = [[text.replace("|", r"\|") for text in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], rule, *lines[1:])
    )
