"""This process among others: its rank, how many there are, its cores and its memory."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

from pix2color.errors import UsageError

_CGROUP = Path("/sys/fs/cgroup")
# Of glibc's malloc.h; the first two are numbers of bytes.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def rank() -> int:
    """Return the number of this process among those that a launcher has started; 0 if alone."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Return the number of this process among those on this machine; 0 if alone."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """Return how many processes a launcher has started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def share(text: str | None = None) -> tuple[int, int]:
    """Return this process's number, from 0, among those that share a job's photos, and how many.

    Args:
        text: ``I/N``, counted from 1, as a person says it; without it the variables of torchrun
            (RANK, WORLD_SIZE) or of Slurm's srun (SLURM_PROCID, SLURM_NTASKS) tell.

    Raises:
        UsageError: the text or the variables say nothing of the kind.
    """
    if text is not None:
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"--shard {text}: write it as I/N, such as 1/4 for the first of four")
        return int(number) - 1, int(count)
    for names in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        values = [os.environ.get(name, "") for name in names]
        if all(values):
            own, all_of_them = (int(value) if value.isdecimal() else -1 for value in values)
            if 0 <= own < all_of_them:
                return own, all_of_them
            told = " and ".join(map("=".join, zip(names, values, strict=True)))
            raise UsageError(f"{told}: is no process among others; unset them, or give --shard I/N")
    return 0, 1


def is_main() -> bool:
    """Return whether this process is the one that speaks for all."""
    return rank() == 0


def require_single(command: str) -> None:
    """Check that a command was not started several times by a launcher.

    Raises:
        UsageError: it was.
    """
    if world_size() > 1:
        raise UsageError(f"{command}: runs in one process; start it without torchrun")


def cores() -> int:
    """Return the cores that this process may use: fewer than there are, in a container or a job."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    found = len(allowed) or os.cpu_count() or 1
    quota, _, period = container_limit("cpu.max").partition(" ")
    return max(1, min(found, int(quota) // int(period))) if quota.isdigit() else found


def container_limit(name: str) -> str:
    """Return a limit of the container (Linux, cgroup 2), such as ``memory.max``; empty if none."""
    file = _CGROUP / name
    return file.read_text().strip() if file.is_file() else ""


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, to use it again; where the system has glibc.

    A training step on a CPU frees what the next one needs again, in large pieces. They go back to
    the system by default, and to get them anew, page by page, takes up to a quarter of the step.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(_M_TOP_PAD, 2**28)
        library.mallopt(_M_MMAP_MAX, 0)


def is_running(process: int) -> bool:
    """Return whether a process of this machine is alive."""
    if os.name == "nt":  # there, asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is, and somebody else's
        return True
    return True
