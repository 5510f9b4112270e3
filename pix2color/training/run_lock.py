"""The lock of a run: one process trains it at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pix2color.errors import UsageError
from pix2color.processes import is_main

_FILE = ".lock"
# The processes that read photos for one that was killed hold its lock until they notice.
_PATIENCE = 7.0  # seconds


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training the run in ``folder``, which is made if it is not there.

    The system takes the lock back from a process that dies. Of processes that train together the
    first one has it; it may take it twice.

    Raises:
        UsageError: another process has it.
    """
    if not is_main():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _FILE, timeout=_PATIENCE, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"{folder}: another process trains this run; let it end, or stop it, and try again"
        ) from error
    try:
        yield
    finally:
        lock.release()
