"""What a person sees while work is going on: all of it on stderr, stdout is for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Tells how far the work is; ``done`` counts in the unit of the total.

    ``note`` stands behind the count; ``below``, which is longer, in a line of its own.
    """

    def __call__(self, done: float, note: str = "", below: str = "") -> None: ...


def say(message: str) -> None:
    """One line on stderr."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def track(label: str, total: float, unit: str, *, begun: float = 0) -> Iterator[Progress]:
    """A bar with rate and time left on a terminal, else a plain line every ten seconds.

    Args:
        label: what is being done.
        total: of all the work.
        unit: of what is counted.
        begun: what was done before, which took no time now.
    """
    if sys.stderr.isatty():
        yield from _bar(label, total, unit, begun)
    else:
        yield _lines(label, total, unit, begun)


def _bar(label: str, total: float, unit: str, begun: float) -> Iterator[Progress]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    start = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    bar, detail = Bar(*columns), Text(style="dim")
    task = bar.add_task(label, total=total, completed=int(begun), note="")

    def update(done: float, note: str = "", below: str = "") -> None:
        elapsed = time.monotonic() - start
        told = (_left(done - begun, total - done, elapsed), _rate(done - begun, elapsed, unit))
        bar.update(task, completed=done, note="  ".join(filter(None, (*told, note))))
        if below:
            detail.plain = below

    with Live(Group(bar, detail), console=Console(stderr=True), refresh_per_second=4):
        yield update


def _rate(done: float, seconds: float, unit: str) -> str:
    """Rate of what is counted; of minutes there is none."""
    return "" if unit == "min" else f"{done / max(seconds, 1e-9):.1f} {unit}/s"


def _left(done: float, missing: float, seconds: float) -> str:
    """Time left, if it goes on at the rate so far."""
    if done <= 0 or missing <= 0:
        return ""
    left = round(seconds * missing / done)
    hours, minutes = left // 3600, left // 60 % 60
    return (f"{hours} h {minutes:02} min" if hours else f"{minutes}:{left % 60:02}") + " left"


def _lines(label: str, total: float, unit: str, begun: float) -> Progress:
    start = time.monotonic()
    last = -_SECONDS_BETWEEN_LINES

    def update(done: float, note: str = "", below: str = "") -> None:
        nonlocal last
        elapsed = time.monotonic() - start
        if elapsed - last < _SECONDS_BETWEEN_LINES and done < total:
            return
        last = elapsed
        rate, left = _rate(done - begun, elapsed, unit), _left(done - begun, total - done, elapsed)
        told = f"{label}: {done:.0f}/{total:.0f} {unit} in {elapsed:.0f} s"
        say("  ".join(filter(None, (told, left, rate, note, below))))

    return update
