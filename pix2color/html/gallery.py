"""A folder's photos before and after, as one web page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from pix2color.errors import ImageError, UsageError
from pix2color.files import replacing
from pix2color.html.rendering import TEMPLATES, template
from pix2color.imaging.io import encode_picture, read_rgb

_LONG_SIDE = 960
_QUALITY = 82
_GENERATOR = '<meta name="generator" content="pix2color'  # as in page.html

SLIDER_STYLE = (TEMPLATES / "slider.css").read_text("utf-8")


def check_place(path: Path) -> None:
    """Make sure that a page may be written.

    Raises:
        UsageError: there is something else.
    """
    if path.exists() and (path.is_dir() or _GENERATOR not in path.read_text("utf-8", "replace")):
        raise UsageError(f"{path}: is there and no page of ours; move it away")


def write_gallery(path: Path, pairs: Iterable[tuple[str, Path, Path]]) -> int:
    """Write the page, picture by picture; never leaves half of it.

    Args:
        path: of the HTML file.
        pairs: name, photo and color version of each; what cannot be read is left out.

    Returns:
        the number of pairs on it.
    """
    count = 0

    def shown() -> Iterator[tuple[str, tuple[int, int], str, str]]:
        nonlocal count
        for name, photo, colored in pairs:
            try:
                after, before = _thumbnail(colored), _thumbnail(photo)
            except ImageError:  # taken away since it was colored
                continue
            count += 1
            yield name, after.size, data_url(before, _QUALITY), data_url(after, _QUALITY)

    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace") as page,  # of odd file names
    ):
        page.writelines(template("gallery.html").generate(pairs=shown()))
    return count


def slider(name: str, size: tuple[int, int], before: str, after: str) -> str:
    """Return HTML of two pictures, one over the other, parted by a slider; see ``SLIDER_STYLE``.

    Args:
        name: what it shows, for those who cannot see it.
        size: width and height in pixels.
        before, after: addresses of the pictures.
    """
    made = template("slider.html").module.slider(name, size, before, after)  # type: ignore[attr-defined]
    return str(made)


def data_url(picture: Image.Image, quality: int) -> str:
    """Return a picture as a JPEG within the address itself, ``data:…``."""
    data = encode_picture(picture, "JPEG", quality, {"optimize": True})
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def _thumbnail(path: Path) -> Image.Image:
    picture = read_rgb(path, min_side=_LONG_SIDE)
    picture.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
    return picture
