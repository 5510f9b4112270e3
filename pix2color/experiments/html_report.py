"""The report of a comparison: one page that needs no network, and its tables as files."""

from __future__ import annotations

import html
from pathlib import Path
from string import Template

import numpy as np

from pix2color import __version__
from pix2color.evaluation.protocol import GRAY, Score
from pix2color.evaluation.tables import Measure, cell, measures_of
from pix2color.experiments import results
from pix2color.experiments.costs import Curve, shares_of_start, thinned
from pix2color.experiments.results import COSTS, Comparison, System, clearly_best
from pix2color.files import write_bytes
from pix2color.html import charts
from pix2color.html.gallery import SLIDER_STYLE, TEMPLATES, data_url, slider
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


def write_report(found: Comparison, pictures: Pictures, worst: list[str], folder: Path) -> None:
    """Write the page, ``table.md``, ``table.csv`` and ``results.json``.

    Args:
        found: the comparison.
        pictures: what is shown of each system, the same photos for all.
        worst: paths of those that are shown as worst cases.
        folder: where the files go.

    Raises:
        ImageError: a file cannot be written.
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
    """The page's HTML."""
    shown = next(iter(pictures.values()))
    names = [system.name for system in found.systems]
    return Template((TEMPLATES / "report.html").read_text("utf-8")).substitute(
        version=__version__,
        title=html.escape(_title(names)),
        slider_style=SLIDER_STYLE,
        colors="\n".join(_color(i) for i in range(len(names))),
        summary=_summary(found),
        figures=_figures(found),
        costs=_costs(found),
        meanings=_meanings(found),
        key=_key(found),
        scatter=_scatter(found),
        curves=_curves(found),
        sheet="\n".join(_row(found, pictures, p) for p in shown if p not in worst),
        worst="\n".join(_row(found, pictures, path) for path in worst),
    )


def _title(names: list[str]) -> str:
    return " · ".join(names) if len(names) <= 3 else f"{len(names)} colourizers side by side"


def _color(number: int) -> str:
    light, dark = _COLORS[number % len(_COLORS)]
    style, dashes = _STYLES[number // len(_COLORS) % len(_STYLES)]
    return (
        f".s{number} {{ --c: light-dark({light}, {dark}); --style: {style}; --dashes: {dashes}; }}"
    )


def _label(found: Comparison, number: int) -> str:
    """Of a system in a figure; -1 is the gray picture."""
    if number < 0:
        return GRAY
    return found.systems[number].name if len(found.systems) <= _MOST_NAMES else str(number + 1)


def _key(found: Comparison) -> str:
    entries = []
    for number, system in enumerate(found.systems):
        label = _label(found, number)
        name = html.escape(system.name if label == system.name else f"{label} {system.name}")
        entries.append(f'<li class="s{number}">{name}</li>')
    return "".join(entries)


def _summary(found: Comparison) -> str:
    failed = [f"{name} failed: {why}" for name, why in found.failed.items()]
    lines = [f"<p>{html.escape(n)}</p>" for n in results.notes(found) if n not in failed]
    lines += [f'<p class="failed">{html.escape(line)}</p>' for line in failed]
    if found.command:
        command = f"<code>{html.escape(found.command)}</code>"
        lines.append(f"<details><summary>The command</summary>{command}</details>")
    return "\n".join(lines)


def _figures(found: Comparison) -> str:
    rows, measures = found.rows(), measures_of(found.gray)
    head = [_titled(m.heading, _meaning(m), m.better) for m in measures.values()]
    cells: dict[str, list[str]] = {name: [] for name in rows}
    for key, measure in measures.items():
        scores = {name: row[key] for name, row in rows.items()}
        best = clearly_best(scores, measure)
        for name, score in scores.items():
            value, _, interval = cell(score, measure.digits).partition(" ")
            small = f"<small>{interval}</small>" if interval else ""
            mark = ' class="best"' if name == best else ""
            cells[name].append(f"<td{mark}>{value}{small}</td>")
    return _table(head, cells)


def _costs(found: Comparison) -> str:
    head = [_titled(heading, meaning, "") for heading, _, meaning in COSTS.values()]
    cells = {
        system.name: [
            f"<td>{shown(getattr(system.costs, key))}</td>" for key, (_, shown, _) in COSTS.items()
        ]
        for system in found.systems
    }
    return _table(head, cells)


def _table(head: list[str], cells: dict[str, list[str]]) -> str:
    lines = [f"<tr><th>{html.escape(name)}</th>{''.join(row)}</tr>" for name, row in cells.items()]
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr><th>system</th>{"".join(head)}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _titled(heading: str, meaning: str, better: str) -> str:
    title, name = html.escape(meaning, quote=True), html.escape(heading)
    return f'<th><abbr title="{title}">{name}</abbr><span class="better">{better}</span></th>'


def _meaning(measure: Measure) -> str:
    ways = {"": "", "↑": " More is better.", "↓": " Less is better."}
    return measure.meaning + ways.get(measure.better, f" Best is {measure.better[2:]}.")


def _meanings(found: Comparison) -> str:
    """For those who cannot hover."""
    told = [(m.heading, _meaning(m)) for m in measures_of(found.gray).values()]
    told += [(heading, meaning) for heading, _, meaning in COSTS.values()]
    return "".join(f"<dt>{html.escape(h)}</dt><dd>{html.escape(m)}</dd>" for h, m in told)


def _scatter(found: Comparison) -> str:
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
    drawn = charts.points(axes, places, charts.reference(axes, "as the truth", x=1.0))
    return f"<figure>{drawn}</figure><figure>{_work(found)}</figure>"


def _work(found: Comparison) -> str:
    """Fidelity against the work that it takes."""
    gray = found.gray["delta_e"].value
    places = [
        charts.Point(i, _label(found, i), (s.costs.gflops,) * 3, _ends(s.scores["delta_e"]))
        for i, s in enumerate(found.systems)
    ]
    axes = charts.Axes(
        "GFLOPs for a picture of 256 × 256",
        "ΔE00 (less is better)",
        charts.span((point.x[0] for point in places), around=0.0),
        charts.span((y for point in places for y in point.y), around=gray),
    )
    return charts.points(axes, places, charts.reference(axes, "gray", y=gray))


def _ends(score: Score) -> tuple[float, float, float]:
    assert score.low is not None
    assert score.high is not None
    return score.value, score.low, score.high


def _curves(found: Comparison) -> str:
    """Validation first, then all training losses together, then each kind of loss."""
    kinds = {name for system in found.systems for name in system.costs.curves}
    losses = sorted(name for name in kinds if name.startswith("generator/"))
    headings = {
        "val/psnr": ("PSNR on validation photos", "dB"),
        "val/delta_e": ("ΔE00 on validation photos", "ΔE00"),
    }
    headings |= {name: (f"training loss: {name.partition('/')[2]}", "loss") for name in losses}
    drawn = [
        (heading, unit, _thinned(found, name), _gray_level(found, name))
        for name, (heading, unit) in headings.items()
        if name in kinds
    ]
    if len(losses) > 1:
        shares = [shares_of_start(system.costs.curves) for system in found.systems]
        together = {number: curve for number, curve in enumerate(shares) if curve}
        drawn.append(
            ("training losses, each against its start", "share of its start", together, None)
        )
    return "".join(
        f"<figure><figcaption>{html.escape(heading)}</figcaption>"
        f"{_chart(found, unit, curves, gray)}</figure>"
        for heading, unit, curves, gray in drawn
    )


def _thinned(found: Comparison, name: str) -> dict[int, Curve]:
    return {
        number: thinned(system.costs.curves[name])
        for number, system in enumerate(found.systems)
        if name in system.costs.curves
    }


def _gray_level(found: Comparison, name: str) -> float | None:
    curves = (system.costs.curves.get(f"{name}_gray") for system in found.systems)
    return next((curve[-1][1] for curve in curves if curve), None)


def _chart(found: Comparison, unit: str, curves: dict[int, Curve], gray: float | None) -> str:
    points = [point for curve in curves.values() for point in curve]
    axes = charts.Axes(
        "minutes of training",
        unit,
        charts.span((x for x, _ in points), around=0.0),
        charts.span((y for _, y in points), around=gray),
    )
    behind = "" if gray is None else charts.reference(axes, "gray", y=gray)
    return charts.lines(axes, curves, [s.name for s in found.systems], behind)


def _row(found: Comparison, pictures: Pictures, path: str) -> str:
    """One photo: gray, each system under a slider, truth."""
    gray, _, truth = pictures[found.systems[0].name][path]
    cells = [_still("gray", gray)]
    for system in found.systems:
        picture = from_array(pictures[system.name][path][1])
        shown = slider(system.name, picture.size, "data:,", data_url(picture, _QUALITY))
        error = f"<span>{_delta_e(system, path):.1f}</span>"
        cells.append(
            f"<figure>{shown}<figcaption>{html.escape(system.name)} {error}</figcaption></figure>"
        )
    cells.append(_still("truth", truth))
    name = html.escape("/".join(Path(path).parts[-2:]))
    return (
        f'<section class="row"><h3>{name}</h3><div class="cells">{"".join(cells)}</div></section>'
    )


def _still(name: str, pixels: np.ndarray) -> str:
    picture = from_array(pixels)
    return (
        f'<figure><img class="{name}" width="{picture.width}" height="{picture.height}" '
        f'alt="{name}" src="{data_url(picture, _QUALITY)}"><figcaption>{name}</figcaption></figure>'
    )


def _delta_e(system: System, path: str) -> float:
    return next(float(photo["delta_e"]) for photo in system.photos if photo["photo"] == path)


def worst_of(systems: list[System], count: int) -> list[str]:
    """Each system's ``count`` worst photos by ΔE00, each once."""
    paths: dict[str, None] = {}
    for system in systems:
        ranked = sorted(system.photos, key=lambda photo: -photo["delta_e"])
        paths |= {photo["photo"]: None for photo in ranked[:count]}
    return list(paths)
