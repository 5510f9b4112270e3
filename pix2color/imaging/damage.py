"""Files that are damaged or end too early: refused, or taken as far as they decode.

Pillow has one switch for it, which counts for all threads at once, and does not say whether it has
mattered. So each file is read strictly first, and those that fail alone, once more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from PIL import ImageFile

from pix2color.errors import ImageError

DAMAGED = "damaged, or ends too early: taken as far as it can be decoded"
"""The note of a file that was taken all the same."""

T = TypeVar("T")

_changed = threading.Condition()
_strict_readers = 0
_tolerated = False


@contextmanager
def tolerating_damage(tolerated: bool) -> Iterator[None]:
    """Let files that are damaged be taken as far as they decode while the block runs, or not."""
    global _tolerated
    before, _tolerated = _tolerated, tolerated
    try:
        yield
    finally:
        _tolerated = before


def is_tolerated() -> bool:
    """Return whether files that are damaged are taken as far as they decode."""
    return _tolerated


def strictly_first(read: Callable[[], T]) -> tuple[T, str]:
    """Return what a function reads, passing over damage only if it must and may.

    Args:
        read: reads a file; it is called a second time if the file is damaged.

    Returns:
        what it returned, and the note of damage that was passed over, or an empty text.

    Raises:
        ImageError: the file is damaged, and that is not tolerated, or it cannot be read even so.
    """
    try:
        with _strictly():
            return read(), ""
    except ImageError:
        if not is_tolerated():
            raise
    with _leniently():
        return read(), DAMAGED


@contextmanager
def _strictly() -> Iterator[None]:
    """Run a block in which no damage is passed over, beside other such blocks."""
    global _strict_readers
    with _changed:
        _strict_readers += 1
    try:
        yield
    finally:
        with _changed:
            _strict_readers -= 1
            _changed.notify_all()


@contextmanager
def _leniently() -> Iterator[None]:
    """Run a block in which damage is passed over, once no other thread reads strictly."""
    with _changed:
        _changed.wait_for(lambda: not _strict_readers)
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
