"""The processes that read photos for a DataLoader, and their untimely end."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader

from pix2color.errors import TrainingError

FEWER = "give fewer --workers (0: none), and "
"""The start of the cure where a command has that option."""
# What torch says of a process that was ended from outside, or found no room in /dev/shm.
_READER = "DataLoader worker"
_SIGNS = (
    "is killed by signal",
    "exited unexpectedly",
    "No space left on device",
    "shared memory",
)


@contextlib.contextmanager
def reading_processes(cure: Callable[[], str]) -> Iterator[None]:
    """End the processes that were started to read photos with the work that they read for.

    Where all goes well, they have ended by themselves. One that was killed may have held a lock
    that the others wait for, and Python would wait for them when it ends.

    Args:
        cure: returns what can be done.

    Raises:
        TrainingError: one was ended from outside, for want of memory perhaps.
    """
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException as error:
        with _no_notice_of_ends():
            for process in set(multiprocessing.active_children()) - before:
                process.kill()
                process.join()
        told = str(error) if isinstance(error, RuntimeError) else ""
        if _READER in told and any(sign in told for sign in _SIGNS):
            raise TrainingError(
                "a process that reads photos has died, for want of memory or of room in "
                f"/dev/shm; {cure()}"
            ) from error
        raise


def started(loader: DataLoader[Any]) -> Iterator[Any]:
    """Return what a loader reads, its processes started.

    Where one of them dies, the next item says so: not an error in the midst of other work, which
    torch would raise.
    """
    with _no_notice_of_ends():
        return iter(loader)


@contextlib.contextmanager
def _no_notice_of_ends() -> Iterator[None]:
    """Keep torch from raising an error for each process that ends."""
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)
