"""What a page's visitor may read: names of files that came, and messages about them."""

from __future__ import annotations

import re
from pathlib import Path

from pix2color.errors import ImageError
from pix2color.imaging.io import file_format, open_picture, output_path

_ENDINGS = {
    "PNG": ".png",
    "GIF": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "BMP": ".png",
    "PSD": ".png",
    "JPEG2000": ".png",
    "PPM": ".png",
}
_SAME = {"MPO": "JPEG", "GIF": "PNG"}  # as which colour versions are written


def sanitize(name: str) -> str:
    """Return a file name without what has a meaning to some system, with an ending we can write."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name).strip(" .")[-120:] or "photo.jpg"
    try:
        file_format(Path(name))
    except ImageError:
        name += ".jpg"
    return output_path(Path(name)).name


def named_by_content(name: str, data: bytes) -> str:
    """Return a photo's name with the ending of what the file is: a name decides no format."""
    try:
        with open_picture(Path(name), data) as file:
            kind = file.format or ""
    except ImageError:  # what is wrong with it is said when it is coloured
        return name
    path = Path(name)
    if file_format(path) in (kind, _SAME.get(kind)):
        return name
    return path.with_suffix(_ENDINGS.get(kind, ".jpg")).name


def without_option_advice(reason: str) -> str:
    """Return a message without its advice to use options of the command line."""
    return re.sub(r"; [^;()]*--[a-z][^;()]*", "", reason)
