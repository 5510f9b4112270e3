"""Geometry of the small charts on a page; ``charts.html`` draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Axes:
    """The two axes of a chart, their names and the values at their ends, in a frame."""

    width: ClassVar[int] = 420
    height: ClassVar[int] = 290
    left: ClassVar[int] = 46
    right: ClassVar[int] = 406
    top: ClassVar[int] = 12
    bottom: ClassVar[int] = 250

    x_label: str
    y_label: str
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies on the drawing, to a tenth of a unit."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        right = self.left + across * (self.right - self.left)
        down = self.bottom - up * (self.bottom - self.top)
        return round(right, 1), round(down, 1)

    @property
    def x_ticks(self) -> list[tuple[float, float]]:
        """Round values along x, and where they lie."""
        return [(value, self.place(value, self.y[0])[0]) for value in _ticks(self.x)]

    @property
    def y_ticks(self) -> list[tuple[float, float]]:
        """Round values along y, and where they lie."""
        return [(value, self.place(self.x[0], value)[1]) for value in _ticks(self.y)]


@dataclass(frozen=True)
class Reference:
    """A dashed line with a name across the drawing, at an x or at a y."""

    name: str
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Curve:
    """A system's values; its number decides the color."""

    number: int
    name: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Point:
    """A system's place: a value and the ends of its interval each way; number -1 is gray."""

    number: int
    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


@dataclass(frozen=True)
class Chart:
    """All that one drawing shows."""

    axes: Axes
    curves: Sequence[Curve] = ()
    points: Sequence[Point] = ()
    reference: Reference | None = None


def span(values: Iterable[float], *, around: float | None = None) -> tuple[float, float]:
    """Return ends of an axis with room for all finite values, and for ``around``."""
    found = [value for value in values if math.isfinite(value)]
    found += [] if around is None else [around]
    low, high = min(found, default=0.0), max(found, default=1.0)
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return low - margin, high + margin


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Return about five round values between the ends."""
    raw = (ends[1] - ends[0]) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= raw)
    first, last = math.ceil(ends[0] / step), math.floor(ends[1] / step)
    return [round(i * step, 10) for i in range(first, last + 1)]
