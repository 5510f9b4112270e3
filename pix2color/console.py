"""What a person sees while work is going on: all of it on stderr, stdout is for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Tells how far the work is; ``done`` counts in the unit of the total."""

    def __call__(self, done: float, note: str = "") -> None: ...


def say(message: str) -> None:
    """One line on stderr."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(label: str, total: float, unit: str) -> Iterator[Progress]:
    """A bar with rate and time left on a terminal, else a plain line every ten seconds."""
    if sys.stderr.isatty():
        yield from _bar(label, total, unit)
    else:
        yield _lines(label, total, unit)


def _bar(label: str, total: float, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    start = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, note="")

        def update(done: float, note: str = "") -> None:
            bar.update(task, completed=done, note=f"{_rate(done, start, unit)}{note}")

        yield update


def _rate(done: float, start: float, unit: str) -> str:
    """Rate of what is counted; of minutes there is none."""
    seconds = max(time.monotonic() - start, 1e-9)
    return "" if unit == "min" else f"{done / seconds:.1f} {unit}/s  "


def _lines(label: str, total: float, unit: str) -> Progress:
    start = time.monotonic()
    last = -_SECONDS_BETWEEN_LINES

    def update(done: float, note: str = "") -> None:
        nonlocal last
        elapsed = time.monotonic() - start
        if elapsed - last < _SECONDS_BETWEEN_LINES and done < total:
            return
        last = elapsed
        told = f"{done:.0f}/{total:.0f} {unit} in {elapsed:.0f} s"
        say(f"{label}: {told}  {_rate(done, start, unit)}{note}".rstrip())

    return update
