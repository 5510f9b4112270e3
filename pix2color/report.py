"""Evaluations as a table, JSON, CSV and a contact sheet."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pix2color import images
from pix2color.evaluate import GRAY, MODEL, Evaluation, Score

COLUMNS = ("gray", "ours", "truth")
_MEASURES = {  # name: heading, digits, which way is better; others come last, by their name
    "psnr": ("PSNR dB", 2, "↑"),
    "ab_psnr": ("PSNR of ab dB", 2, "↑"),
    "ssim": ("SSIM", 4, "↑"),
    "delta_e": ("ΔE00", 2, "↓"),
    "delta_l": ("|ΔL*|", 3, "↓"),
    "colorfulness_ratio": ("colourfulness ratio", 3, "→ 1"),
    "delta_colorfulness": ("|Δ colourfulness|", 2, "↓"),
    "ab_js": ("ab-JS", 4, "↓"),
    "chroma_w1": ("chroma W1", 2, "↓"),
    "washout": ("wash-out", 3, "↓"),
    "auc": ("AuC", 4, "↑"),
    "auc_rebalanced": ("AuC rebalanced", 4, "↑"),
    "critic": ("patch critic", 3, "→ 0.5"),
}


def table(evaluation: Evaluation) -> str:
    """A line a measure: the gray picture and the model, with 95 % intervals."""
    lines: list[tuple[str, ...]] = [("measure", "better", GRAY, MODEL)]
    names = evaluation.rows[MODEL]
    for name in sorted(names, key=[*_MEASURES, *names].index):
        heading, digits, better = _MEASURES.get(name, (name, 3, ""))
        cells = [_cell(evaluation.rows[row][name], digits) for row in (GRAY, MODEL)]
        lines.append((heading, better, *cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    rule = "-" * len(max(text, key=len))
    foot = f"{evaluation.photos} photos, {evaluation.left_out} left out (gray or unreadable)"
    return "\n".join([text[0], rule, *text[1:], rule, foot])


def to_json(evaluation: Evaluation) -> str:
    """The rows and counts; a figure that could not be had is null."""
    rows = {
        row: {name: [_finite(v) for v in score] for name, score in scores.items()}
        for row, scores in evaluation.rows.items()
    }
    counts = {"photos": evaluation.photos, "left_out": evaluation.left_out}
    return json.dumps({**counts, "rows": rows}, indent=2)


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """A line a photo with the model's measures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with images.replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(evaluation.pictures[0]))
        writer.writeheader()
        writer.writerows(evaluation.pictures)


def write_contact_sheet(evaluation: Evaluation, path: Path, *, across: int = 2) -> None:
    """Samples as gray | ours | truth, ``across`` such groups side by side."""
    samples = evaluation.samples
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
            sheet.paste(images.from_array(picture), (left, head + row * (side + gap)))
    images.write(path, sheet)


def _cell(score: Score, digits: int) -> str:
    if math.isnan(score.value):
        return "–"
    text = f"{score.value:.{digits}f}"
    if score.low is None or score.high is None:
        return text
    return f"{text} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
