"""Colour for black-and-white photographs, and training of one's own colourizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pix2color.inference.colorizer import Colorizer
    from pix2color.inference.film_options import FilmOptions
    from pix2color.inference.hints import FilmHint, Hint
    from pix2color.inference.options import ColorizeOptions
    from pix2color.inference.video.job import colorize_frames, colorize_video

__version__ = "0.1.0"
__all__ = [
    "ColorizeOptions",
    "Colorizer",
    "FilmHint",
    "FilmOptions",
    "Hint",
    "colorize_frames",
    "colorize_video",
]

_HOMES = {
    "Colorizer": "inference.colorizer",
    "ColorizeOptions": "inference.options",
    "FilmHint": "inference.hints",
    "FilmOptions": "inference.film_options",
    "Hint": "inference.hints",
    "colorize_frames": "inference.video.job",
    "colorize_video": "inference.video.job",
}


def __getattr__(name: str) -> Any:
    """Import a public name on demand: importing the package must not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
