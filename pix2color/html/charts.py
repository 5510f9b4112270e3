"""Small charts as SVG for a page: lines and points, drawn in its colours."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 40


@dataclass(frozen=True)
class Axes:
    """What is on the axes, and between which values."""

    x_label: str
    y_label: str
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Place of a point on the drawing."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
        return _LEFT + across * width, HEIGHT - _BOTTOM - up * height


def span(values: Iterable[float], *, around: float | None = None) -> tuple[float, float]:
    """Ends of an axis that has room for all values, and for ``around``."""
    found = [value for value in values if math.isfinite(value)]
    found += [] if around is None else [around]
    low, high = min(found, default=0.0), max(found, default=1.0)
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return low - margin, high + margin


def lines(
    axes: Axes, curves: dict[int, list[tuple[float, float]]], names: list[str], behind: str = ""
) -> str:
    """Curves, each by the number of its system, which decides the colour."""
    drawn = []
    for number, curve in curves.items():
        places = [axes.at(x, y) for x, y in curve]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        title = f"<title>{html.escape(names[number])}</title>"
        x, y = places[-1]
        drawn.append(
            f'<g class="system s{number}">{title}<polyline points="{path}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/></g>'
        )
    return _drawing(axes, behind + "".join(drawn))


def reference(axes: Axes, name: str, *, x: float | None = None, y: float | None = None) -> str:
    """A dashed line across the drawing, with its name."""
    if y is not None:
        (left, height), (right, _) = axes.at(axes.x[0], y), axes.at(axes.x[1], y)
        line, words = (left, height, right, height), (right, height - 5, "end")
    else:
        assert x is not None
        (place, bottom), (_, top) = axes.at(x, axes.y[0]), axes.at(x, axes.y[1])
        line, words = (place, bottom, place, top), (place - 5, top + 12, "end")
    x1, y1, x2, y2 = (f"{value:.1f}" for value in line)
    return (
        f'<line class="reference" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
        f'<text class="reference" x="{words[0]:.1f}" y="{words[1]:.1f}" '
        f'text-anchor="{words[2]}">{html.escape(name)}</text>'
    )


@dataclass(frozen=True)
class Point:
    """A system's place, with the ends of its intervals."""

    number: int
    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


def points(axes: Axes, places: list[Point], behind: str = "") -> str:
    """Points with crosses as long as their intervals; number -1 is the gray picture."""
    drawn = []
    for point in places:
        (x, left, right), (y, low, high) = point.x, point.y
        (x0, middle), (x1, _) = axes.at(left, y), axes.at(right, y)
        (center, y0), (_, y1) = axes.at(x, low), axes.at(x, high)
        kind = f"s{point.number}" if point.number >= 0 else "gray"
        side = "end" if center > WIDTH * 0.7 else "start"
        away = -8 if side == "end" else 8
        drawn.append(
            f'<g class="system {kind}"><title>{html.escape(point.name)}: {x:.3f}, {y:.2f}</title>'
            f'<path d="M{x0:.1f} {middle:.1f}H{x1:.1f}M{center:.1f} {y0:.1f}V{y1:.1f}"/>'
            f'<circle cx="{center:.1f}" cy="{middle:.1f}" r="5"/>'
            f'<text x="{center + away:.1f}" y="{middle - 8:.1f}" text-anchor="{side}">'
            f"{html.escape(point.name)}</text></g>"
        )
    return _drawing(axes, behind + "".join(drawn))


def _drawing(axes: Axes, inside: str) -> str:
    ticks = []
    for value in _ticks(axes.x):
        x, bottom = axes.at(value, axes.y[0])
        ticks.append(
            f'<text x="{x:.1f}" y="{bottom + 15:.1f}" text-anchor="middle">{value:g}</text>'
        )
    for value in _ticks(axes.y):
        left, y = axes.at(axes.x[0], value)
        ticks.append(
            f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>'
            f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    x_label, y_label = html.escape(axes.x_label), html.escape(axes.y_label)
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{y_label} against {x_label}"><g class="ticks">{"".join(ticks)}</g>'
        f'<text class="label" x="{(WIDTH + _LEFT) / 2}" y="{HEIGHT - 5}" text-anchor="middle">'
        f'{x_label}</text><text class="label" transform="translate(11 {middle}) rotate(-90)" '
        f'text-anchor="middle">{y_label}</text>{inside}</svg>'
    )


def _ticks(ends: tuple[float, float]) -> list[float]:
    """About five round values between the ends."""
    raw = (ends[1] - ends[0]) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= raw)
    first, last = math.ceil(ends[0] / step), math.floor(ends[1] / step)
    return [round(i * step, 10) for i in range(first, last + 1)]
