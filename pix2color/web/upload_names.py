"""What a page's visitor may read: names of files that came, and messages about them."""

from __future__ import annotations

import re
from pathlib import Path

from pix2color.errors import ImageError
from pix2color.imaging.io import file_format, output_path


def sanitize(name: str) -> str:
    """Return a file name without what has a meaning to some system, with an ending we can write."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name).strip(" .")[-120:] or "photo.jpg"
    try:
        file_format(Path(name))
    except ImageError:
        name += ".jpg"
    return output_path(Path(name)).name


def without_option_advice(reason: str) -> str:
    """Return a message without its advice to use options of the command line."""
    return re.sub(r"; [^;()]*--[a-z][^;()]*", "", reason)
