"""Files that are damaged or end too early: refused, or taken as far as they decode.

Pillow has one switch for it, which counts for all threads at once, and does not say whether it has
mattered. So each file is read strictly first, and those that fail alone, once more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import ImageFile

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


@contextmanager
def strictly() -> Iterator[None]:
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
def leniently() -> Iterator[None]:
    """Run a block in which damage is passed over, once no other thread reads strictly."""
    with _changed:
        _changed.wait_for(lambda: not _strict_readers)
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
