"""Messages and progress for people, on stderr: stdout is for results.

    with track("evaluate", len(photos), "photos") as progress:
        for number, photo in enumerate(photos, start=1):
            ...
            progress(number)
        with progress.during("writing the report"):
            ...

On a terminal that is a bar whose clock runs by itself; elsewhere plain lines, one every ten seconds
whatever the work is at. Both end with the final count, the time that all of it took, and the rate.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group

# C0 and C1, and what turns the direction of writing round; surrogates are names that aren't UTF-8.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SECONDS_BETWEEN_LINES = 10.0
_FRAMES_PER_SECOND = 4
_BAR_WIDTH = 20


def printable(text: str) -> str:
    """Return a text whose control characters are written out, such as ``\\x1b``.

    What comes from files and their names could otherwise command the terminal. Line breaks stay.
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def say(message: str) -> None:
    """Print one line on stderr."""
    print(printable(message), file=sys.stderr, flush=True)


class Progress:
    """How far some work is, from ``track``; call it whenever that has changed.

    Args:
        label: name of the work.
        total: amount of the whole work, in units.
        unit: name of what is counted; ``min`` has no rate.
        begun: amount that was done before, which took no time now.

    Attributes:
        done: amount that is done.
        activity: what the work is at, shown behind its label; empty for the usual.
        called: whether anything was reported yet.
    """

    def __init__(self, label: str, total: float, unit: str, begun: float = 0) -> None:
        self.label, self.total, self.unit, self.begun = label, total, unit, begun
        self.done, self.activity, self.called = begun, "", False
        self._note = self._below = ""
        self._start = time.monotonic()

    def __call__(self, done: float, note: str = "", below: str = "") -> None:
        """Set how much is done.

        Args:
            done: in the unit of the total.
            note: shown behind the count; an empty one leaves the one before.
            below: a longer one, in a line of its own on a terminal.
        """
        self.done, self.called = done, True
        self._note = printable(note) or self._note
        self._below = printable(below) or self._below

    @contextmanager
    def during(self, activity: str) -> Iterator[None]:
        """Show what the work is at, such as ``validation``, while the block lasts."""
        before, self.activity = self.activity, activity
        try:
            yield
        finally:
            self.activity = before

    def line(self) -> str:
        """Return the whole state as one line of text."""
        count = f"{self._title()}: {self._count()} in {self._seconds():.0f} s"
        return "  ".join(filter(None, (count, *self._figures(), self._below)))

    def __rich__(self) -> Group:
        """Return the bar, as it is drawn on a terminal at this moment."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1))
        seconds = int(self._seconds())
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        row.add_row(
            Text(self._title(), no_wrap=True),
            ProgressBar(self.total, self.done, width=_BAR_WIDTH),
            Text(self._count(), no_wrap=True, style="green"),
            Text(clock, no_wrap=True, style="yellow"),
            Text("  ".join(filter(None, self._figures())), no_wrap=True),
        )
        return Group(row, Text(self._below, style="dim"))

    def _title(self) -> str:
        return f"{self.label}: {self.activity}" if self.activity else self.label

    def _count(self) -> str:
        return f"{self.done:.0f}/{self.total:.0f} {self.unit}"

    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _figures(self) -> tuple[str, str, str]:
        """Return time left, rate and note; the first two may be empty."""
        done, seconds = self.done - self.begun, self._seconds()
        rate = "" if self.unit == "min" else f"{done / max(seconds, 1e-9):.1f} {self.unit}/s"
        return time_left(done, self.total - self.done, seconds), rate, self._note


def time_left(done: float, missing: float, seconds: float) -> str:
    """Return in words how long the rest takes at the rate so far; empty if that is not known."""
    if done <= 0 or missing <= 0:
        return ""
    left = round(seconds * missing / done)
    hours, minutes = left // 3600, left // 60 % 60
    return (f"{hours} h {minutes:02} min" if hours else f"{minutes}:{left % 60:02}") + " left"


@contextmanager
def track(label: str, total: float, unit: str, *, begun: float = 0) -> Iterator[Progress]:
    """Show how far some work is while the block lasts: see ``Progress`` for the arguments."""
    progress = Progress(label, total, unit, begun)
    with _bar(progress) if sys.stderr.isatty() else _lines(progress):
        yield progress


@contextmanager
def _bar(progress: Progress) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    with Live(progress, console=Console(stderr=True), refresh_per_second=_FRAMES_PER_SECOND):
        yield


@contextmanager
def _lines(progress: Progress) -> Iterator[None]:
    """Print a line every ten seconds, and the last state if there was any call."""
    ended = threading.Event()
    printed = threading.Thread(target=_print_lines, args=(progress, ended), daemon=True)
    printed.start()
    try:
        yield
    finally:
        ended.set()
        printed.join()
        if progress.called:
            say(progress.line())


def _print_lines(progress: Progress, ended: threading.Event) -> None:
    while not ended.wait(_SECONDS_BETWEEN_LINES):
        say(progress.line())
