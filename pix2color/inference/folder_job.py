"""Colouring many files: what was done before, and what becomes of each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pix2color.color.recompose import Planes
from pix2color.errors import DataError, ImageError, Pix2colorError
from pix2color.files import hash_bytes, remove_stale, write_bytes
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import encode_planes
from pix2color.inference.colorizer import Colorizer, Prepared
from pix2color.inference.manifest import Manifest, Record
from pix2color.inference.plan import Order, Task, compare_path, plan
from pix2color.progress import say, track

_GAP = 16
_SECONDS_BETWEEN_LOOKS = 2.0
_EXIT_SOME_FAILED = 3

COLOURED, DONE, HAS_COLOUR, KEPT, FAILED = "coloured", "done", "has colour", "kept", "failed"
_REST = {
    DONE: "done before",
    HAS_COLOUR: "left alone (they have colour)",
    KEPT: "left alone (another file is in their place)",
}


@dataclass
class Outcome:
    """One photo's fate.

    Attributes:
        input: the photo.
        output: its colour version, if there is one.
        status: ``coloured``; ``done`` before; ``has colour`` and was left alone; ``kept``: the
            output is a file that was not written by this job; ``failed``.
        reason: why it was not coloured.
        notes: what to know about the reading.
        original: the photo as it was, if it was replaced.
    """

    input: Path
    output: Path | None
    status: str
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    original: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        places = {"input": self.input, "output": self.output, "original": self.original}
        return asdict(self) | {key: path and str(path) for key, path in places.items()}


def exit_code(outcomes: list[Outcome]) -> int:
    """What a command that colours photos exits with: 0 none failed, 3 some did, 1 all."""
    failed = sum(outcome.status == FAILED for outcome in outcomes)
    if not failed:
        return 0
    return _EXIT_SOME_FAILED if failed < len(outcomes) else ImageError.exit_code


class _SettledEarly(Exception):  # noqa: N818 - no error
    """A photo's fate is known before the network saw it."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Job:
    """Colours photos as ordered; each is done once, and whole or not at all.

    Args:
        colorizer: the model.
        order: what to do.
        process: this process among ``processes`` that share the photos.
    """

    def __init__(
        self, colorizer: Colorizer, order: Order, *, process: int = 0, processes: int = 1
    ) -> None:
        self.colorizer, self.order = colorizer, order
        self.process, self.processes = process, processes
        self.manifest = Manifest(order.folder, process)
        self._settings = self._hash_settings()

    def run(self) -> Iterator[Outcome]:
        """One pass over all photos: the outcome of each, as it gets done.

        Raises:
            MissingPathError, DataError, UsageError: see ``plan``.
        """
        tasks = plan(self.order, self.manifest)[self.process :: self.processes]
        yield from self._colorize(tasks)

    def watch(self) -> Iterator[Outcome]:
        """Passes over whatever is new, for ever."""
        settled: dict[Path, tuple[int, int]] = {}
        before: dict[Path, tuple[int, int]] = {}
        while True:
            try:
                tasks = plan(self.order, self.manifest)[self.process :: self.processes]
            except DataError:  # nothing there yet
                tasks = []
            now = {task.input: state for task in tasks if (state := _state(task.input))}
            # A file that still grows is left for the next look.
            new = [
                task
                for task in tasks
                if task.input in now
                and now[task.input] == before.get(task.input)
                and now[task.input] != settled.get(task.input)
            ]
            if new:
                yield from self._colorize(new)
                # In place, a photo has changed by being coloured.
                settled |= {task.input: state for task in new if (state := _state(task.input))}
            before = now
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def told(self, outcomes: list[Outcome]) -> str:
        """A line that sums up."""
        counts = Counter(outcome.status for outcome in outcomes)
        told = f"{counts[COLOURED]} photos coloured, {counts[FAILED]} failed"
        for status, text in _REST.items():
            told += f", {counts[status]} {text}" if counts[status] else ""
        return f"{told}: {self.order.out or 'in place'}"

    def pairs(self, outcomes: list[Outcome]) -> Iterator[tuple[str, Path, Path]]:
        """Name, photo and colour version of all that is coloured, by name, for a gallery."""
        for outcome in sorted(outcomes, key=lambda outcome: outcome.input):
            if outcome.output is not None:
                name = (
                    outcome.output.relative_to(self.order.out) if self.order.out else outcome.input
                )
                yield str(name), outcome.original or outcome.input, outcome.output

    def _colorize(self, tasks: list[Task]) -> Iterator[Outcome]:
        for folder in {task.output.parent for task in tasks} | {self.order.folder}:
            remove_stale(folder)
        order = self.order
        pipeline = self.colorizer.pipeline(self._load, self._finish, order.look, order.workers)
        failed = 0
        with track("colorize", len(tasks), "photos") as progress:
            for count, (task, result) in enumerate(pipeline.run(tasks), start=1):
                outcome = _outcome(task, result)
                failed += outcome.status == FAILED
                if outcome.reason and outcome.status != DONE:
                    say(f"{outcome.status}: {outcome.reason}")
                for note in outcome.notes:
                    say(f"note: {outcome.input}: {note}")
                progress(count, f"{failed} failed" if failed else "")
                yield outcome

    def _load(self, task: Task) -> Prepared:
        try:
            data = task.input.read_bytes()
        except OSError as error:
            raise ImageError(f"{task.input}: cannot be read ({error.strerror})") from error
        task.digest = hash_bytes(data)
        if not self.order.overwrite:
            self._check_done(task)
        photo = read_gray_photo(task.input, data)
        if photo.has_colour and not self.order.force:
            reason = f"{task.input}: has colour already and was left alone; --force colours it"
            raise _SettledEarly(Outcome(task.input, None, HAS_COLOUR, reason))
        if self.order.backup is not None:
            task.original = data
        return self.colorizer.prepare(photo)

    def _check_done(self, task: Task) -> None:
        if self.order.backup is not None:
            done = self.manifest.written(str(task.name), task.output) is not None
        else:
            record = self._ours(task.output, str(task.name), task)
            asked = (task.digest, self._settings)
            done = record is not None and (record.input, record.settings) == asked
        if done:
            raise _SettledEarly(self._made(task, DONE, reason="coloured before"))

    def _made(self, task: Task, status: str, **details: Any) -> Outcome:
        original = self.order.backup and self.order.backup / task.name
        return Outcome(task.input, task.output, status, original=original, **details)

    def _ours(self, path: Path, name: str, task: Task) -> Record | None:
        """The record of an output that is there; a file of somebody else's is not touched."""
        record = self.manifest.written(name, path)
        if record is None and path.exists():
            reason = f"{path}: is there already, not as this job wrote it; --overwrite replaces it"
            raise _SettledEarly(Outcome(task.input, None, KEPT, reason))
        return record

    def _finish(self, task: Task, prepared: Prepared, maps: Tensor) -> Outcome:
        order, photo = self.order, prepared.photo
        planes = self.colorizer.finish(prepared, maps)
        metadata = None if order.strip_metadata else photo.metadata.marked()
        data = encode_planes(
            task.output, planes, alpha=photo.alpha, metadata=metadata, quality=order.quality
        )
        if order.compare:
            path = compare_path(task.output)
            name = str(task.name.with_name(path.name))
            if not order.overwrite:
                self._ours(path, name, task)
            pair = encode_planes(path, before_and_after(photo.gray, planes), quality=order.quality)
            self._write(path, name, pair, task)
        if order.backup is not None:
            _back_up(order.backup / task.name, task.original)
        self._write(task.output, str(task.name), data, task)
        return self._made(task, COLOURED, notes=photo.notes)

    def _write(self, path: Path, name: str, data: bytes, task: Task) -> None:
        record = Record(name, task.digest, self._settings, hash_bytes(data))
        write_bytes(path, data, before_rename=lambda: self.manifest.add(record))

    def _hash_settings(self) -> str:
        colorizer, order = self.colorizer, self.order
        settings = (
            colorizer.info.sha256,
            colorizer.render_size,
            colorizer.tta,
            order.look,
            order.quality,
            order.strip_metadata,
            order.compare,
        )
        return hash_bytes(repr(settings).encode())


def _outcome(task: Task, result: Outcome | Exception) -> Outcome:
    if isinstance(result, Outcome):
        return result
    if isinstance(result, _SettledEarly):
        return result.outcome
    reason = str(result).splitlines()[0] if str(result) else type(result).__name__
    if not isinstance(result, ImageError):
        kind = "" if isinstance(result, Pix2colorError) else f"{type(result).__name__}: "
        reason = f"{task.input}: not coloured ({kind}{reason})"
    return Outcome(task.input, None, FAILED, reason)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _back_up(path: Path, original: bytes) -> None:
    if not path.exists():
        write_bytes(path, original)
    elif path.read_bytes() != original:
        raise ImageError(f"{path}: another photo is there; choose another --backup")


def before_and_after(gray: np.ndarray, planes: Planes) -> Planes:
    """The photo and its colour version side by side, with white between."""
    height, width = gray.shape
    white = np.full((height, _GAP + width % 2), 255, np.uint8)
    neutral = np.full((len(planes.cb), (width + white.shape[1]) // 2), 128, np.uint8)
    return Planes(
        np.concatenate([gray, white, planes.y], axis=1),
        np.concatenate([neutral, planes.cb], axis=1),
        np.concatenate([neutral, planes.cr], axis=1),
    )
