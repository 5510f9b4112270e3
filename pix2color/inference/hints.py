"""Hints: what a person knows about the colours of a photo, at places in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageColor

from pix2color.errors import UsageError

HINTS_ENDING = ".hints.json"
"""Behind the name of a photo: of the file with its hints."""
_MOST = 1000  # in one file
_SQUARE = 3  # pixels of what the network sees that a hint covers


@dataclass(frozen=True)
class Hint:
    """The colour of a thing in a photo.

    Attributes:
        x, y: a place in the thing, in pixels of the upright photo, from its upper left corner.
        color: as CSS and Pillow write colours: ``#7a2e2e``, ``rgb(122, 46, 46)`` or ``maroon``.
            Its lightness does not count: the photo's own is kept.

    Raises:
        UsageError: the place is no pair of numbers, or the colour is none.
    """

    x: float
    y: float
    color: str

    def __post_init__(self) -> None:
        for value in (self.x, self.y):
            if not isinstance(value, Real) or isinstance(value, bool) or not np.isfinite(value):
                raise UsageError(f"hint: {value!r} is no number of pixels")
        _ = self.rgb

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue from 0 to 255."""
        try:
            rgb = ImageColor.getrgb(self.color)[:3]
            if not all(0 <= level <= 255 for level in rgb):
                raise ValueError("outside of 0 to 255")
            return rgb
        except (ValueError, AttributeError, OverflowError) as error:
            raise UsageError(
                f"hint: {self.color!r} is no colour; write it like #7a2e2e or maroon"
            ) from error

    @classmethod
    def parse(cls, text: str) -> Hint:
        """Return the hint that is written as ``X,Y,COLOR``.

        Raises:
            UsageError: it is not written like that.
        """
        try:
            x, y, color = text.split(",", 2)
            return cls(float(x), float(y), color.strip())
        except ValueError as error:
            raise UsageError(f"hint {text}: write it as X,Y,COLOR, like 120,80,#7a2e2e") from error


@dataclass(frozen=True)
class FilmHint:
    """The colour of a thing in a film.

    Attributes:
        hint: what colour it has where, in pixels of the upright frame.
        seconds: when, from the start of the film.
    """

    hint: Hint
    seconds: float

    @classmethod
    def parse(cls, text: str) -> FilmHint:
        """Return the hint that is written as ``X,Y,COLOR@TIME``, the time as 83.5 or 1:23.5.

        Raises:
            UsageError: it is not written like that.
        """
        place, at, time = text.rpartition("@")
        try:
            seconds = 0.0
            for part in time.split(":"):
                seconds = 60 * seconds + float(part)
            if not at or not 0 <= seconds < float("inf"):
                raise ValueError(time)
        except ValueError as error:
            raise UsageError(
                f"hint {text}: in a film, say when, as X,Y,COLOR@TIME, like 120,80,#7a2e2e@1:23.5"
            ) from error
        return cls(Hint.parse(place), seconds)


def own_hints(photo: Path) -> list[Hint]:
    """Return the hints in the file beside a photo, if there is one; errors as ``read_hints``."""
    path = hints_path(photo)
    return read_hints(path) if os.path.isfile(path) else []  # its name may be too long to be


def hints_path(photo: Path) -> Path:
    """Return the path of the file that may hold a photo's hints, ``NAME.hints.json`` beside it."""
    return photo.with_name(photo.stem + HINTS_ENDING)


def read_hints(path: Path) -> list[Hint]:
    """Read hints from a JSON file; see ``parse_hints``.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        return parse_hints(path.read_text(encoding="utf-8"))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as hints ({error})") from error


def parse_hints(text: str) -> list[Hint]:
    """Return hints that are written in JSON: a list of objects with ``x``, ``y`` and ``color``.

    Raises:
        UsageError: something else is.
    """
    try:
        hints = [_from_json(entry) for entry in json.loads(text)]
    except (ValueError, TypeError, RecursionError) as error:
        example = '[{"x": 120, "y": 80, "color": "#7a2e2e"}]'
        raise UsageError(f"hints: cannot be read; write {example}") from error
    if len(hints) > _MOST:
        raise UsageError(f"hints: {len(hints)} are too many; {_MOST} go")
    return hints


def paint_hints(
    hints: Iterable[Hint], photo: tuple[int, ...], reduced: tuple[int, ...]
) -> np.ndarray:
    """Return hints as the network sees them, painted on an empty picture.

    Args:
        hints: of the photo.
        photo: its (H, W).
        reduced: (h, w) of what the network sees of it.

    Returns:
        uint8 (4, h, w): red, green, blue, and 255 where a hint is, 0 elsewhere.

    Raises:
        UsageError: one lies outside of the photo.
    """
    height, width = photo
    painted = np.zeros((4, *reduced), np.uint8)
    for hint in hints:
        if not (0 <= hint.x < width and 0 <= hint.y < height):
            raise UsageError(
                f"hint at {hint.x:g},{hint.y:g}: is outside of the photo, which is {width} pixels "
                f"wide and {height} high"
            )
        top = _start(hint.y / height, reduced[0])
        left = _start(hint.x / width, reduced[1])
        spot = (slice(None), slice(top, top + _SQUARE), slice(left, left + _SQUARE))
        painted[spot] = np.array([*hint.rgb, 255], np.uint8)[:, None, None]
    return painted


def _start(share: float, side: int) -> int:
    """Return where a hint's square begins so that ``share`` of the side is in its middle."""
    return max(0, min(int(share * side) - _SQUARE // 2, side - _SQUARE))


def _from_json(entry: Any) -> Hint:
    if not isinstance(entry, dict) or set(entry) != {"x", "y", "color"}:
        raise UsageError(f"hint {entry!r}: give x, y and color, and nothing else")
    return Hint(**entry)
