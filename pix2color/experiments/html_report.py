"""The report of a comparison: one page that needs no network, and its tables as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pix2color.evaluation.scores import Score
from pix2color.evaluation.systems import GRAY
from pix2color.evaluation.tables import Measure, cell, known_measures
from pix2color.experiments import results
from pix2color.experiments.costs import Curve, averaged, relative_losses
from pix2color.experiments.results import COSTS, Comparison, System
from pix2color.files import write_bytes
from pix2color.html import charts
from pix2color.html.gallery import data_url
from pix2color.html.rendering import template
from pix2color.imaging.io import from_array

PAGE = "index.html"
_QUALITY = 85
_MOST_NAMES = 4  # in a figure; of more systems it has the numbers
_STYLES = (("solid", "none"), ("dashed", "6 4"), ("dotted", "2 3"))  # of lines, in CSS and SVG
_COLORS = (  # of the systems, on light and on dark paper; they come again with the next style
    ("#2f6fde", "#7fb0ff"), ("#d9692a", "#ff9d66"), ("#2b9a66", "#5fd39a"), ("#b23a8f", "#f083cf"),
    ("#8a6d00", "#e0c24a"), ("#6b4fd8", "#b3a1ff"), ("#c33b3b", "#ff8a80"), ("#0f8f9c", "#56d0dc"),
)  # fmt: skip

Pictures = dict[str, dict[str, tuple[np.ndarray, ...]]]
"""By system and path: (gray, the system's, truth), each uint8 (3, H, W)."""


class Column(NamedTuple):
    """The head of a column of the page's tables."""

    heading: str
    meaning: str
    better: str = ""


class Cell(NamedTuple):
    """A figure in the page's tables."""

    value: str
    interval: str = ""
    best: bool = False


class Table(NamedTuple):
    """A table of the page: a row a system."""

    columns: list[Column]
    rows: dict[str, list[Cell]]


class Image(NamedTuple):
    """A picture within the page."""

    size: tuple[int, int]
    url: str


def write_report(found: Comparison, pictures: Pictures, worst: list[str], folder: Path) -> None:
    """Write the page, ``table.md``, ``table.csv`` and ``results.json``.

    Args:
        found: the comparison.
        pictures: what is shown of each system, the same photos for all.
        worst: paths of those that are shown as worst cases.
        folder: where the files go.

    Raises:
        StorageError: a file cannot be written.
    """
    files = {
        PAGE: page(found, pictures, worst),
        "table.md": results.markdown(found),
        "table.csv": results.to_csv(found),
        "results.json": results.to_json(found),
    }
    for name, text in files.items():
        write_bytes(folder / name, text.encode("utf-8", "replace"))


def page(found: Comparison, pictures: Pictures, worst: list[str]) -> str:
    """Return the page's HTML."""
    shown = {path: None for of in pictures.values() for path in of}
    names = [system.name for system in found.systems]
    failed = results.failures(found)
    return template("report.html").render(
        title=" · ".join(names) if len(names) <= 3 else f"{len(names)} colourizers side by side",
        systems=[_key(found, number) for number in range(len(names))],
        notes=[note for note in results.notes(found) if note not in failed],
        failed=failed,
        command=found.command,
        figures=_figures(found),
        costs=_costs(found),
        scatter=[_fidelity_and_color(found), *[_fidelity_and_work(found)] * bool(found.trained)],
        curves=_curves(found),
        sheet=[_photo(found, pictures, path) for path in shown if path not in worst],
        worst=[_photo(found, pictures, path) for path in worst],
    )


def worst_photos(systems: list[System], count: int) -> list[str]:
    """Return each system's ``count`` worst photos by ΔE00, each once."""
    paths: dict[str, None] = {}
    for system in systems:
        ranked = sorted(system.photos, key=lambda photo: -photo["delta_e"])
        paths |= {photo["photo"]: None for photo in ranked[:count]}
    return list(paths)


def _label(found: Comparison, number: int) -> str:
    """Name a system in a figure; -1 is the gray picture."""
    if number < 0:
        return GRAY
    return found.systems[number].name if len(found.systems) <= _MOST_NAMES else str(number + 1)


def _key(found: Comparison, number: int) -> dict[str, str]:
    """Return a system's entry in the key, and how it is drawn."""
    light, dark = _COLORS[number % len(_COLORS)]
    style, dashes = _STYLES[number // len(_COLORS) % len(_STYLES)]
    label, name = _label(found, number), found.systems[number].name
    entry = name if label == name else f"{label} {name}"
    return {"entry": entry, "light": light, "dark": dark, "style": style, "dashes": dashes}


def _figures(found: Comparison) -> Table:
    rows, measures = found.rows(), known_measures(found.gray)
    columns = [Column(m.heading, _meaning(m), m.better) for m in measures.values()]
    cells: dict[str, list[Cell]] = {name: [] for name in rows}
    for key, measure in measures.items():
        scores = {name: row[key] for name, row in rows.items()}
        best = found.best(key, measure)
        for name, score in scores.items():
            value, _, interval = cell(score, measure.digits).partition(" ")
            cells[name].append(Cell(value, interval, name == best))
    return Table(columns, cells)


def _costs(found: Comparison) -> Table:
    columns = [Column(heading, meaning) for heading, _, meaning in COSTS.values()]
    cells = {
        name: [Cell(shown(getattr(costs, key))) for key, (_, shown, _) in COSTS.items()]
        for name, costs in found.trained.items()
    }
    return Table(columns, cells)


def _meaning(measure: Measure) -> str:
    ways = {"": "", "↑": " More is better.", "↓": " Less is better."}
    return measure.meaning + ways.get(measure.better, f" Best is {measure.better[2:]}.")


def _fidelity_and_color(found: Comparison) -> charts.Chart:
    places = [
        charts.Point(
            number,
            _label(found, number),
            _ends(scores["colorfulness_ratio"]),
            _ends(scores["delta_e"]),
        )
        for number, scores in enumerate(found.rows().values(), start=-1)
    ]
    axes = charts.Axes(
        "colourfulness ratio (1: as the truth)",
        "ΔE00 (less is better)",
        charts.span((x for point in places for x in point.x), around=1.0),
        charts.span(y for point in places for y in point.y),
    )
    return charts.Chart(axes, points=places, reference=charts.Reference("as the truth", x=1.0))


def _fidelity_and_work(found: Comparison) -> charts.Chart:
    gray = found.gray["delta_e"].value
    places = [
        charts.Point(i, _label(found, i), (s.costs.gflops,) * 3, _ends(s.scores["delta_e"]))
        for i, s in enumerate(found.systems)
        if s.costs is not None
    ]
    axes = charts.Axes(
        "GFLOPs for a picture of 256 × 256",
        "ΔE00 (less is better)",
        charts.span((point.x[0] for point in places), around=0.0),
        charts.span((y for point in places for y in point.y), around=gray),
    )
    return charts.Chart(axes, points=places, reference=charts.Reference(GRAY, y=gray))


def _ends(score: Score) -> tuple[float, float, float]:
    assert score.low is not None
    assert score.high is not None
    return score.value, score.low, score.high


def _curves(found: Comparison) -> list[tuple[str, charts.Chart]]:
    """Return validation first, then each kind of loss, then all losses together."""
    kinds = {name for costs in found.trained.values() for name in costs.curves}
    losses = sorted(name for name in kinds if name.startswith("generator/"))
    headings = {
        "val/psnr": ("PSNR on validation photos", "dB"),
        "val/delta_e": ("ΔE00 on validation photos", "ΔE00"),
    }
    headings |= {name: (f"training loss: {name.partition('/')[2]}", "loss") for name in losses}
    drawn = []
    for name, (heading, unit) in headings.items():
        if name in kinds:
            curves = [averaged(curve) for curve in _all(found, name)]
            drawn.append((heading, _chart(found, unit, curves, _gray_level(found, name))))
    if len(losses) > 1:
        shares = [relative_losses(s.costs.curves) if s.costs else [] for s in found.systems]
        heading = "training losses, each against its start"
        drawn.append((heading, _chart(found, "share of its start", shares)))
    return drawn


def _gray_level(found: Comparison, name: str) -> float | None:
    return next((curve[-1][1] for curve in _all(found, f"{name}_gray") if curve), None)


def _all(found: Comparison, name: str) -> list[Curve]:
    """Return a curve of each system; it is empty where there is none."""
    return [s.costs.curves.get(name, []) if s.costs else [] for s in found.systems]


def _chart(
    found: Comparison, unit: str, curves: list[Curve], gray: float | None = None
) -> charts.Chart:
    """Return a chart over the minutes of training, a curve for each system that has one."""
    points = [point for curve in curves for point in curve]
    axes = charts.Axes(
        "minutes of training",
        unit,
        charts.span((x for x, _ in points), around=0.0),
        charts.span((y for _, y in points), around=gray),
    )
    drawn = [
        charts.Curve(number, system.name, curve)
        for number, (system, curve) in enumerate(zip(found.systems, curves, strict=True))
        if curve
    ]
    return charts.Chart(
        axes, drawn, reference=gray if gray is None else charts.Reference(GRAY, y=gray)
    )


def _photo(found: Comparison, pictures: Pictures, path: str) -> dict[str, Any]:
    """Return a row of pictures: gray, each system, truth."""
    gray, _, truth = next(of[path] for of in pictures.values() if path in of)
    return {
        "name": "/".join(Path(path).parts[-2:]),
        "gray": _image(gray),
        "truth": _image(truth),
        "systems": [
            (system.name, _image(pictures[system.name][path][1]), _delta_e(system, path))
            for system in found.systems
            if path in pictures[system.name]
        ],
    }


def _image(pixels: np.ndarray) -> Image:
    picture = from_array(pixels)
    return Image(picture.size, data_url(picture, _QUALITY))


def _delta_e(system: System, path: str) -> float:
    return next(float(photo["delta_e"]) for photo in system.photos if photo["photo"] == path)
