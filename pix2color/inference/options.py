"""Options of colouring a photo: the one place that holds their limits, choices and defaults.

The command line, the page in the browser, its API and Python calls all use this module. Nothing
heavy is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from pix2color.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from pix2color.inference.adjust import ChromaStatistics

MAX_SATURATION = 3.0
MAX_TEMPERATURE = 100.0
RENDER_SIZES = (32, 2048)
"""Least and largest short side, in pixels, of what the network looks at."""
SHARED_RENDER_SIZES = (RENDER_SIZES[0], 1024)
"""The same on a server, where the memory that a large one takes is needed by others, too."""
QUALITIES = (1, 100)
DEFAULT_QUALITY = 92
FORMATS = ("jpg", "png", "tif", "webp", "avif")
"""Formats that colour pictures can be asked for in, by their file name endings."""
DEPTHS = (8, DEEP := 16)
"""Bits of a channel that files can have."""
SUFFIX_BESIDE = "-colour"
"""Put behind the names of outputs that lie beside their photos."""


@dataclass(frozen=True)
class ColorizeOptions:
    """Options of colouring one photo, the same for the command line, the page and Python.

    Attributes:
        saturation: factor of the chroma, 0 to 3; 0 is gray, 1 as predicted.
        temperature: -100 (cool) to 100 (warm).
        like: a colour photo whose colours are taken over: a path, a picture, or its statistics if
            they are known already.
        render_size: short side, in pixels, of what the network looks at, 32 to 2048; by default
            the size that it was trained on.
        tta: average over the photo and its mirror image (test-time augmentation).
        quality: of JPEG, WebP and AVIF files, 1 to 100.
        depth: bits of a channel in files, 8 or 16; 16 go with PNG and TIFF, and keep all of what a
            deeper scan has. Pictures in memory have 8.
        keep_metadata: carry EXIF, XMP, IPTC, comment and resolution over to files, with a note
            that the colours were made by software.
        force: colour files that have colour already, too, instead of refusing them. Pictures and
            arrays in memory are always coloured.

    Raises:
        UsageError: one of them is of another type or out of its range.
    """

    saturation: float = 1.0
    temperature: float = 0.0
    like: Path | str | Image.Image | ChromaStatistics | None = None
    render_size: int | None = None
    tta: bool = False
    quality: int = DEFAULT_QUALITY
    depth: int = DEPTHS[0]
    keep_metadata: bool = True
    force: bool = False

    def __post_init__(self) -> None:
        check_range("saturation", self.saturation, 0, MAX_SATURATION)
        check_range("temperature", self.temperature, -MAX_TEMPERATURE, MAX_TEMPERATURE)
        if self.render_size is not None:
            check_range("render_size", self.render_size, *RENDER_SIZES, whole=True)
        check_range("quality", self.quality, *QUALITIES, whole=True)
        if self.depth not in DEPTHS:
            raise UsageError(f"depth: {self.depth} is neither 8 nor 16")


def shared_options(**options: Any) -> ColorizeOptions:
    """Return the options of a photo that is coloured on a server, within what others leave.

    Raises:
        UsageError: one of them is out of its range.
    """
    if options.get("render_size") is not None:
        check_range("render_size", options["render_size"], *SHARED_RENDER_SIZES, whole=True)
    return ColorizeOptions(**options)


def check_range(name: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    """Check that a setting is a number within its limits.

    Args:
        name: of the setting.
        value: what was given.
        low, high: the limits, both included.
        whole: whether it has to be an integer.

    Raises:
        UsageError: it is no such number.
    """
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise UsageError(f"{name}: {value} is no {'whole number' if whole else 'number'}")
    if not low <= value <= high:  # type: ignore[operator]
        raise UsageError(f"{name}: {str(value)[:20]} is not within {low:g} to {high:g}")
