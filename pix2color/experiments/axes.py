"""Axes of a sweep: the settings that it tries out, and their values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pix2color.errors import UsageError


@dataclass(frozen=True)
class Axis:
    """A setting and what it may be: ``values`` as they are written, or a range.

    A range of which the upper end is ten times the lower or more is searched by its logarithm;
    one between whole numbers has no others.
    """

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    @classmethod
    def parse(cls, text: str) -> Axis:
        """Read ``key=a,b,c`` or ``key=low..high``.

        Raises:
            UsageError: it is neither.
        """
        key, equals, values = text.partition("=")
        listed = tuple(dict.fromkeys(value.strip() for value in values.split(",")))
        if not key or not equals or not all(listed):
            raise UsageError(f"--over {text}: write it as key=a,b,c or key=low..high")
        low, dots, high = values.partition("..")
        if not dots or len(listed) > 1:
            return cls(key.strip(), listed)
        try:
            whole = low.strip().isdecimal() and high.strip().isdecimal()
            axis = cls(key.strip(), (), float(low), float(high), whole)
        except ValueError as error:
            raise UsageError(f"--over {text}: a range is made of two numbers") from error
        if not axis.low < axis.high:
            raise UsageError(f"--over {text}: the range must rise")
        return axis

    @property
    def count(self) -> float:
        """Number of values."""
        if self.values or not self.whole:
            return len(self.values) or math.inf
        return self.high - self.low + 1

    @property
    def all_values(self) -> Sequence[str] | range:
        """All values in order; of a range of real numbers there are none."""
        return self.values or range(int(self.low), int(self.high) + 1 if self.whole else 0)

    @property
    def examples(self) -> tuple[str, ...]:
        """All values, or the ends of the range."""
        ends = map(int, (self.low, self.high)) if self.whole else (self.low, self.high)
        return self.values or tuple(map(written, ends))


def written(value: object) -> str:
    """Return a value as ``--set`` takes it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def axes(over: tuple[str, ...]) -> tuple[Axis, ...]:
    """Return the axes that ``--over`` names.

    Raises:
        UsageError: it cannot be read, or names a setting twice.
    """
    found = [Axis.parse(text) for text in over]
    keys = [axis.key for axis in found]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"--over {key}: is there twice")
    return tuple(found)
