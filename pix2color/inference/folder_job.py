"""Colouring of many files: each once, and whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pix2color.errors import (
    ImageError,
    MissingExtraError,
    Pix2colorError,
    UsageError,
)
from pix2color.files import hash_bytes, remove_stale, write_bytes
from pix2color.imaging.folders import describe_others, is_film
from pix2color.imaging.formats import READ_ONLY_SUFFIXES
from pix2color.imaging.io import read_file
from pix2color.imaging.page_count import FIRST_OF
from pix2color.inference.adjust import with_statistics
from pix2color.inference.colored_photo import ColoredPhoto, encode_doubt
from pix2color.inference.colorizer import Colorizer, ReducedPhoto
from pix2color.inference.folder_plan import (
    COMPARISON,
    DOUBT,
    JobOptions,
    Plan,
    PlannedPhoto,
    plan,
)
from pix2color.inference.hints import HINTS_ENDING, own_hints
from pix2color.inference.in_place import ChangedError, replace_photo
from pix2color.inference.manifest import Manifest, Record
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.pages import color_pages, read_first
from pix2color.inference.photo_result import (
    COLORED,
    DONE,
    FAILED,
    KEPT,
    NotNeededError,
    PhotoResult,
    as_result,
    count_results,
)
from pix2color.inference.settings_hash import hash_settings
from pix2color.progress import say, track


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
        self._settings = hash_settings(colorizer, job, self.options)

    def run(self) -> Iterator[PhotoResult]:
        """Colour all photos in one pass; yields the result of each, as it gets done.

        Raises:
            MissingPathError, DataError, UsageError: see ``plan``.
        """
        found = self.plan()
        if self.processes > 1:
            share = f"process {self.process + 1} of {self.processes}"
            say(f"{share} colours {len(found.photos)} photos")
        if found.others:
            say(describe_others(found.others))
        for result in found.failed:
            say(f"{result.status}: {result.reason}")
            yield result
        yield from self.colorize(found.photos)

    def plan(self, *, patient: bool = False) -> Plan:
        """Return this process's share of the photos; see ``folder_plan.plan``."""
        found = plan(self.job, self.manifest, patient=patient)
        found.photos = found.photos[self.process :: self.processes]
        if self.process:  # the first one speaks for all
            found.failed, found.others = [], []
        found.others = [path for path in found.others if not path.name.endswith(HINTS_ENDING)]
        return found

    def colorize(self, photos: list[PlannedPhoto]) -> Iterator[PhotoResult]:
        """Colour photos, and then films; yields the result of each, as it gets done."""
        self._remove_stale(photos)
        films = [photo for photo in photos if photo.is_film]
        if len(films) < len(photos):
            yield from self._color_photos([photo for photo in photos if not photo.is_film])
        for film in films:
            result = self._color_film(film)
            _tell(result)
            yield result

    def _color_photos(self, photos: list[PlannedPhoto]) -> Iterator[PhotoResult]:
        pipeline = self.colorizer.pipeline(self._load, self._finish, self.options, self.job.workers)
        failed = 0
        with track("colorize", len(photos), "photos") as progress:
            for count, (photo, outcome) in enumerate(pipeline.run(photos), start=1):
                photo.content = b""
                result = as_result(photo.input, outcome)
                failed += result.status == FAILED
                _tell(result)
                progress(count, f"{failed} failed" if failed else "")
                yield result

    def _color_film(self, film: PlannedPhoto) -> PhotoResult:
        try:
            from pix2color.inference.video.folder import color_film
        except MissingExtraError as error:
            return as_result(film.input, error)
        return color_film(film, self.colorizer, self.job, self.options)

    def summary(self, results: list[PhotoResult]) -> str:
        """Return one line that says how many photos had which result."""
        beside = "in place" if self.job.backup else "beside the photos"
        where = self.job.target or self.job.out or beside
        return f"{count_results(results)}: {where}"

    def gallery_entries(self, results: list[PhotoResult]) -> Iterator[tuple[str, Path, Path]]:
        """Yield name, photo and colour version of all that is coloured, sorted by photo."""
        for result in sorted(results, key=lambda result: result.input):
            if result.output is not None and not is_film(result.input):
                out = self.job.out
                name = result.output.relative_to(out) if out else result.input
                yield str(name), result.original or result.input, result.output

    def _remove_stale(self, photos: list[PlannedPhoto]) -> None:
        folders = {self.job.folder} | {photo.output.parent for photo in photos}
        if self.job.backup is not None:
            folders |= {(self.job.backup / photo.name).parent for photo in photos}
            folders |= {photo.input.resolve().parent for photo in photos}
        for folder in filter(None, folders):
            remove_stale(folder)

    def _load(self, photo: PlannedPhoto) -> ReducedPhoto:
        if self.job.backup is not None and photo.input.suffix.lower() in READ_ONLY_SUFFIXES:
            raise ImageError(f"{photo.input}: is of a kind that is only read; use --out")
        data = read_file(photo.input)
        photo.digest = hash_bytes(data)
        photo.hints = (*own_hints(photo.input), *self.job.hints)
        if not self.job.overwrite:
            self._check_done(photo)
        read = partial(read_first, self.colorizer) if self.job.all_pages else self.colorizer.read
        prepared = read(photo.input, data, self.options, photo.hints)
        pages = prepared.photo.pages
        if pages > 1 and self.job.backup is not None and not self.job.all_pages:
            raise ImageError(
                f"{photo.input}: has {pages} pages or frames, and all but the first would be lost; "
                "add --pages all, or use --out"
            )
        if self.job.backup is not None or pages > 1:
            photo.content = data
        return prepared

    def _finish(self, photo: PlannedPhoto, prepared: ReducedPhoto, ab: np.ndarray) -> PhotoResult:
        colored = self.colorizer.finish(prepared, ab, self.options)
        read = prepared.photo
        notes = [*read.notes]
        if self.job.all_pages and read.pages > 1:
            pages = color_pages(
                self.colorizer, photo.input, photo.content, self.options, photo.hints
            )
            data = pages.encode(photo.output, self.options)
            notes = [note for note in notes if not note.startswith(FIRST_OF)]
            notes += [note for note in pages.notes if note not in notes]
        else:
            data = colored.encode(photo.output, self.options)
        notes += self._write_by_products(photo, prepared, colored)
        if self.job.backup is None:
            self._write(photo.output, str(photo.name), data, photo)
        elif not self._replace(photo, self.job.backup / photo.name, data):
            return self._result(photo, DONE, reason="coloured by another job")
        measured = {"color": round(read.color, 2), "doubtful": read.is_doubtful}
        return self._result(photo, COLORED, notes=notes, **measured)

    def _replace(self, photo: PlannedPhoto, backup: Path, data: bytes) -> bool:
        """Replace a photo; returns False if another job has done that already."""
        name = str(photo.name)
        record = self._record(name, data, photo)

        def was_replaced() -> bool:
            self.manifest.refresh()
            return self.manifest.has_colored(name, photo.digest)

        try:
            replace_photo(
                photo.input,
                photo.content,
                data,
                backup,
                record=lambda: self.manifest.add(record),
                was_replaced=was_replaced,
            )
        except ChangedError:
            if self._written(name, photo.output) is None:
                raise
            return False
        return True

    def _write_by_products(
        self, photo: PlannedPhoto, prepared: ReducedPhoto, colored: ColoredPhoto
    ) -> Iterator[str]:
        """Write what goes beside the colour version; yields why any is missing.

        Whatever becomes of them, the photo itself is coloured.
        """
        encoders: dict[str, Callable[[Path], bytes]] = {
            COMPARISON: lambda path: colored.encode_comparison(path, self.options),
            DOUBT: lambda _: encode_doubt(self.colorizer.predict_doubt(prepared)),
        }
        for ending in self.job.by_products:
            path = photo.by_products.get(ending)
            try:
                if path is None:
                    raise ImageError("every name for it is taken")
                self._write_by_product(path, encoders[ending], photo)
            except Pix2colorError as error:
                yield f"without its {ending.split('.')[1]} picture ({error})"

    def _write_by_product(
        self, path: Path, encode: Callable[[Path], bytes], photo: PlannedPhoto
    ) -> None:
        name = str(photo.name.with_name(path.name))
        if not self.job.overwrite:
            if self.job.folder is None and path.exists():  # as a job that was killed left it
                return
            _, kept = self._own_record(path, name, photo)
            if kept:
                raise ImageError(kept)
        self._write(path, name, encode(path), photo)

    def _check_done(self, photo: PlannedPhoto) -> None:
        name = str(photo.name)
        if self.job.backup is not None:
            # Nobody has replaced a photo of which there is no backup.
            backed_up = (self.job.backup / photo.name).exists()
            done = backed_up and self._written(name, photo.output) is not None
        else:
            record, kept = self._own_record(photo.output, name, photo)
            if kept:
                raise NotNeededError(PhotoResult(photo.input, None, KEPT, kept))
            wanted = (photo.digest, self._settings_of(photo))
            done = record is not None and (record.input, record.settings) == wanted
        if done:
            raise NotNeededError(self._result(photo, DONE, reason="coloured before"))

    def _own_record(self, path: Path, name: str, photo: PlannedPhoto) -> tuple[Record | None, str]:
        """Return the record of an output that is there, and why it must be kept, if it must."""
        record = self._written(name, path)
        if record is None and path.exists():
            return None, f"{path}: is there already; --overwrite replaces it"
        if record and record.input != photo.digest and record.is_of_another(photo.input):
            return record, (
                f"{path}: is there already, made from {record.source}; choose another --out, or "
                "--overwrite replaces it"
            )
        return record, ""

    def _written(self, name: str, path: Path) -> Record | None:
        """Return the record of a file, be it of another job that runs beside this one."""
        record = self.manifest.written(name, path)
        if record is None and path.exists():
            self.manifest.refresh()
            record = self.manifest.written(name, path)
        return record

    def _result(self, photo: PlannedPhoto, status: str, **details: Any) -> PhotoResult:
        original = self.job.backup and self.job.backup / photo.name
        return PhotoResult(photo.input, photo.output, status, original=original, **details)

    def _record(self, name: str, data: bytes, photo: PlannedPhoto) -> Record:
        source = str(photo.input.absolute())
        return Record(name, photo.digest, self._settings_of(photo), hash_bytes(data), source)

    def _write(self, path: Path, name: str, data: bytes, photo: PlannedPhoto) -> None:
        record = self._record(name, data, photo)
        write_bytes(path, data, before_rename=lambda: self.manifest.add(record))

    def _settings_of(self, photo: PlannedPhoto) -> str:
        """Return the hash of all that changes a photo's output."""
        if not photo.hints:
            return self._settings
        return hash_bytes(f"{self._settings} {photo.hints}".encode())


def _tell(result: PhotoResult) -> None:
    if result.reason and result.status != DONE:
        say(f"{result.status}: {result.reason}")
    for note in result.notes:
        say(f"note: {result.input}: {note}")
