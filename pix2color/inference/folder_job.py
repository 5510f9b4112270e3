"""Colouring of many files: each once, and whole or not at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pix2color.errors import (
    DataError,
    HasColorError,
    ImageError,
    MissingExtraError,
    Pix2colorError,
    StorageError,
    UsageError,
)
from pix2color.files import hash_bytes, remove_stale, write_bytes
from pix2color.imaging.formats import READ_ONLY_SUFFIXES
from pix2color.imaging.io import encode_picture, read_file
from pix2color.inference.adjust import ChromaStatistics, with_statistics
from pix2color.inference.colorizer import Colorizer, ReducedPhoto
from pix2color.inference.folder_plan import (
    JobOptions,
    PlannedPhoto,
    comparison_path,
    doubt_path,
    plan,
)
from pix2color.inference.hints import Hint, hints_path, read_hints
from pix2color.inference.manifest import Manifest, Record
from pix2color.inference.options import DEEP, ColorizeOptions
from pix2color.inference.photo_result import COLORED, DONE, FAILED, HAS_COLOR, KEPT, PhotoResult
from pix2color.progress import say, track

_SECONDS_BETWEEN_PASSES = 2.0
_WHITE_DOUBT = 50.0  # distance of a* and b* that is white in the map
_IN_SUMMARY = {
    DONE: "done before",
    HAS_COLOR: "left alone (they have colour)",
    KEPT: "left alone (another file is in their place)",
}


class _NotNeededError(Exception):
    """Ends a photo's way before the network has seen it, with its result."""

    def __init__(self, result: PhotoResult) -> None:
        self.result = result


class FolderJob:
    """Colours many photos; each is done once, and whole or not at all.

    Args:
        colorizer: the model.
        job: the photos, and where they go.
        options: how each is coloured.
        process: this process among ``processes`` that share the photos.

    Raises:
        MissingPathError, ImageError, UsageError: the photo in ``options.like`` cannot be used.
        UsageError: the model does not give the doubt that is asked for.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        job: JobOptions,
        options: ColorizeOptions,
        *,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        if job.doubt and not colorizer.info.gives_doubt:
            raise UsageError("--doubt: this model gives none; teach it by `pix2color train-doubt`")
        self.colorizer, self.job, self.options = colorizer, job, with_statistics(options)
        self.process, self.processes = process, processes
        self.manifest = Manifest(job.folder, process)
        self._settings = self._hash_settings()

    def run(self) -> Iterator[PhotoResult]:
        """Colour all photos in one pass; yields the result of each, as it gets done.

        Raises:
            MissingPathError, DataError, UsageError: see ``plan``.
        """
        photos = self._plan()
        if self.processes > 1:
            say(f"process {self.process + 1} of {self.processes} colours {len(photos)} photos")
        yield from self._colorize(photos)

    def watch(self) -> Iterator[PhotoResult]:
        """Colour whatever is new, pass after pass, for ever."""
        settled: dict[Path, tuple[int, int]] = {}
        before: dict[Path, tuple[int, int]] = {}
        while True:
            try:
                photos = self._plan()
            except DataError:  # nothing there yet
                photos = []
            now = {photo.input: state for photo in photos if (state := _state(photo.input))}
            # A file that still grows is left for the next pass.
            new = [
                photo
                for photo in photos
                if photo.input in now
                and now[photo.input] == before.get(photo.input)
                and now[photo.input] != settled.get(photo.input)
            ]
            if new:
                yield from self._colorize(new)
                # In place, a photo has changed by being coloured.
                settled |= {photo.input: state for photo in new if (state := _state(photo.input))}
            before = now
            time.sleep(_SECONDS_BETWEEN_PASSES)

    def summary(self, results: list[PhotoResult]) -> str:
        """Return one line that says how many photos had which result."""
        counts = Counter(result.status for result in results)
        where = self.job.out or ("in place" if self.job.backup else "beside the photos")
        text = f"{counts[COLORED]} photos coloured, {counts[FAILED]} failed"
        for status, words in _IN_SUMMARY.items():
            text += f", {counts[status]} {words}" if counts[status] else ""
        return f"{text}: {where}"

    def gallery_entries(self, results: list[PhotoResult]) -> Iterator[tuple[str, Path, Path]]:
        """Yield name, photo and colour version of all that is coloured, sorted by photo."""
        for result in sorted(results, key=lambda result: result.input):
            if result.output is not None:
                out = self.job.out
                name = result.output.relative_to(out) if out else result.input
                yield str(name), result.original or result.input, result.output

    def _plan(self) -> list[PlannedPhoto]:
        return plan(self.job, self.manifest)[self.process :: self.processes]

    def _colorize(self, photos: list[PlannedPhoto]) -> Iterator[PhotoResult]:
        for folder in {photo.output.parent for photo in photos} | {self.job.folder}:
            if folder is not None:
                remove_stale(folder)
        pipeline = self.colorizer.pipeline(self._load, self._finish, self.options, self.job.workers)
        failed = 0
        with track("colorize", len(photos), "photos") as progress:
            for count, (photo, outcome) in enumerate(pipeline.run(photos), start=1):
                result = _as_result(photo, outcome)
                failed += result.status == FAILED
                if result.reason and result.status != DONE:
                    say(f"{result.status}: {result.reason}")
                for note in result.notes:
                    say(f"note: {result.input}: {note}")
                progress(count, f"{failed} failed" if failed else "")
                yield result

    def _load(self, photo: PlannedPhoto) -> ReducedPhoto:
        if self.job.backup is not None and photo.input.suffix.lower() in READ_ONLY_SUFFIXES:
            raise ImageError(f"{photo.input}: is of a kind that is only read; use --out")
        data = read_file(photo.input)
        photo.digest = hash_bytes(data)
        photo.hints = (*_own_hints(photo.input), *self.job.hints)
        if not self.job.overwrite:
            self._check_done(photo)
        prepared = self.colorizer.read(photo.input, data, self.options, photo.hints)
        if self.job.backup is not None:
            photo.original = data
        return prepared

    def _finish(self, photo: PlannedPhoto, prepared: ReducedPhoto, ab: np.ndarray) -> PhotoResult:
        colored = self.colorizer.finish(prepared, ab, self.options)
        data = colored.encode(photo.output, self.options)
        if self.job.compare:
            path = comparison_path(photo.output)
            self._write_beside(path, colored.encode_comparison(path, self.options), photo)
        if self.job.doubt:
            path = doubt_path(photo.output)
            levels = self.colorizer.predict_doubt(prepared) * (255 / _WHITE_DOUBT)
            picture = Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))
            self._write_beside(path, encode_picture(picture, "PNG", 0, {}), photo)
        if self.job.backup is not None:
            _back_up(self.job.backup / photo.name, photo.original)
        self._write(photo.output, str(photo.name), data, photo)
        read = prepared.photo
        measured = {"color": round(read.color, 2), "doubtful": read.is_doubtful}
        return self._result(photo, COLORED, notes=read.notes, **measured)

    def _write_beside(self, path: Path, data: bytes, photo: PlannedPhoto) -> None:
        name = str(photo.name.with_name(path.name))
        if not self.job.overwrite:
            if self.job.folder is None and path.exists():  # as a job that was killed left it
                return
            self._own_record(path, name, photo)
        self._write(path, name, data, photo)

    def _check_done(self, photo: PlannedPhoto) -> None:
        if self.job.backup is not None:
            done = self.manifest.written(str(photo.name), photo.output) is not None
        else:
            record = self._own_record(photo.output, str(photo.name), photo)
            wanted = (photo.digest, self._settings_of(photo))
            done = record is not None and (record.input, record.settings) == wanted
        if done:
            raise _NotNeededError(self._result(photo, DONE, reason="coloured before"))

    def _own_record(self, path: Path, name: str, photo: PlannedPhoto) -> Record | None:
        """Return the record of an output that is there; a file of somebody else's is kept."""
        record = self.manifest.written(name, path)
        if record is None and path.exists():
            reason = f"{path}: is there already; --overwrite replaces it"
            raise _NotNeededError(PhotoResult(photo.input, None, KEPT, reason))
        return record

    def _result(self, photo: PlannedPhoto, status: str, **details: Any) -> PhotoResult:
        original = self.job.backup and self.job.backup / photo.name
        return PhotoResult(photo.input, photo.output, status, original=original, **details)

    def _write(self, path: Path, name: str, data: bytes, photo: PlannedPhoto) -> None:
        record = Record(name, photo.digest, self._settings_of(photo), hash_bytes(data))
        write_bytes(path, data, before_rename=lambda: self.manifest.add(record))

    def _settings_of(self, photo: PlannedPhoto) -> str:
        """Return the hash of all that changes a photo's output."""
        if not photo.hints:
            return self._settings
        return hash_bytes(f"{self._settings} {photo.hints}".encode())

    def _hash_settings(self) -> str:
        """Hash all that changes an output, but for hints.

        The text is that of the first version, or all that it has coloured would be done again.
        """
        options, like = self.options, self.options.like
        if isinstance(like, ChromaStatistics):
            like = f"Mood(mean={like.mean!r}, covariance={like.covariance!r})"
        look = f"Look(like={like}, saturation={options.saturation!r}, "
        look += f"temperature={options.temperature!r})"
        model = f"{self.colorizer.info.sha256!r}, {self.colorizer.render_size(options)}"
        written = f"{options.quality}, {not options.keep_metadata}, {self.job.compare}"
        written += ", doubt" if self.job.doubt else ""
        written += ", deep" if options.depth == DEEP else ""
        return hash_bytes(f"({model}, {options.tta}, {look}, {written})".encode())


def _as_result(photo: PlannedPhoto, outcome: PhotoResult | Exception) -> PhotoResult:
    if isinstance(outcome, PhotoResult):
        return outcome
    if isinstance(outcome, _NotNeededError):
        return outcome.result
    if isinstance(outcome, HasColorError):
        measured: dict[str, Any] = {"color": round(outcome.color, 2), "doubtful": outcome.doubtful}
        return PhotoResult(photo.input, None, HAS_COLOR, str(outcome), **measured)
    reason = str(outcome).splitlines()[0] if str(outcome) else type(outcome).__name__
    if isinstance(outcome, StorageError):
        reason += "; make room there, or choose another folder"
    if isinstance(outcome, ImageError) and str(photo.input) not in reason:
        reason = f"{photo.input}: {reason}"
    elif not isinstance(outcome, (ImageError, MissingExtraError)):
        kind = "" if isinstance(outcome, Pix2colorError) else f"{type(outcome).__name__}: "
        reason = f"{photo.input}: not coloured ({kind}{reason})"
    return PhotoResult(photo.input, None, FAILED, reason)


def _own_hints(photo: Path) -> list[Hint]:
    path = hints_path(photo)
    return read_hints(path) if path.is_file() else []


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
