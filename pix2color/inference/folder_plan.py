"""Planning of a folder job: the photos that it colours, and where each goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pix2color.errors import MissingPathError, UsageError
from pix2color.imaging.io import PHOTO_SUFFIXES, find_photos, output_path
from pix2color.inference.hints import Hint
from pix2color.inference.manifest import Manifest
from pix2color.inference.options import SUFFIX_BESIDE

_COMPARISON = ".compare.jpg"
_DOUBT = ".doubt.png"


@dataclass
class PlannedPhoto:
    """One photo to colour.

    Attributes:
        input: the photo.
        output: where its colour version goes.
        name: of the output, relative to the folder of the job.
        hints: what is known about its colours.
        digest: SHA-256 of the photo's file, once it was read.
        original: the file itself, if it is to be replaced.
    """

    input: Path
    output: Path
    name: Path
    hints: tuple[Hint, ...] = ()
    digest: str = ""
    original: bytes = b""


@dataclass(frozen=True)
class JobOptions:
    """Options of a folder job beside those of colouring a photo.

    Attributes:
        paths: photos, and folders of them.
        out: where outputs go; folders are mirrored below it. Without it and ``backup`` they lie
            beside the photos.
        backup: replace the photos themselves, after copying them to this folder.
        suffix: put behind the names of outputs; beside the photos by default ``-colour``.
        ending: of outputs, such as ``.png``; by default the photo's own, beside it ``.jpg``.
        overwrite: do again what is done, and replace files that this job has not written.
        compare: write before | after beside each output.
        workers: threads; by default one for each core.
        hints: what is known about the colours of the photos, beside what their own files say.
        doubt: write a map of the model's doubt beside each output.
    """

    paths: tuple[Path, ...]
    out: Path | None = None
    backup: Path | None = None
    suffix: str = ""
    ending: str | None = None
    overwrite: bool = False
    compare: bool = False
    workers: int | None = None
    hints: tuple[Hint, ...] = ()
    doubt: bool = False

    @property
    def folder(self) -> Path | None:
        """The folder of the job, where its manifest is; None: outputs lie beside the photos."""
        return self.backup or self.out


def plan(job: JobOptions, manifest: Manifest) -> list[PlannedPhoto]:
    """Return every photo named or below a folder named, and where its colour version goes.

    Outputs of this job that lie among the photos are no photos to colour.

    Raises:
        MissingPathError: a path is not there.
        DataError: there is no photo.
        UsageError: an output would overwrite an input or another output.
    """
    photos = []
    for path in job.paths:
        if path.is_dir():
            found = [photo for photo in find_photos(path) if not _is_out(job, path, photo)]
            photos += [_planned(job, photo, photo.relative_to(path)) for photo in found]
        elif path.exists():
            photos.append(_planned(job, path, Path(path.name)))
        else:
            raise MissingPathError(f"{path}: no such file or folder")
    if job.backup is None:
        photos = [photo for photo in photos if not _is_output(photo.input, job.folder, manifest)]
    photos = list({(photo.input, photo.output): photo for photo in photos}.values())  # named twice
    _separate_namesakes(photos)
    _check_collisions(job, photos)
    return photos


def comparison_path(output: Path) -> Path:
    """Return where before | after goes."""
    return output.with_name(output.stem + _COMPARISON)


def doubt_path(output: Path) -> Path:
    """Return where the map of the model's doubt goes."""
    return output.with_name(output.stem + _DOUBT)


def _separate_namesakes(photos: list[PlannedPhoto]) -> None:
    """Let ``a.gif`` beside ``a.png`` become ``a.gif.png``: the photo of that name keeps it."""
    outputs = Counter(photo.output for photo in photos)
    for photo in photos:
        own, ending = photo.input.suffix, photo.output.suffix
        if outputs[photo.output] > 1 and own.lower() != ending.lower():
            photo.name = photo.name.with_name(f"{photo.name.stem}{own}{ending}")
            photo.output = photo.output.with_name(photo.name.name)


def _planned(job: JobOptions, photo: Path, name: Path) -> PlannedPhoto:
    if job.backup is not None:
        return PlannedPhoto(photo, photo, name)
    if job.out is None:
        name = photo.with_name(photo.stem + (job.suffix or SUFFIX_BESIDE) + (job.ending or ".jpg"))
        return PlannedPhoto(photo, name, name)
    ending = job.ending or output_path(name).suffix
    name = name.with_name(name.stem + job.suffix + ending)
    return PlannedPhoto(photo, job.out / name, name)


def _is_out(job: JobOptions, folder: Path, photo: Path) -> bool:
    """Return whether a file in a folder is certain to be an output, of whichever process."""
    out = job.out and job.out.resolve()
    if out and out != folder.resolve() and out.is_relative_to(folder.resolve()):
        return photo.resolve().is_relative_to(out)
    return _lies_beside(job, photo)


def _lies_beside(job: JobOptions, photo: Path) -> bool:
    """Return whether a file in a folder is what an earlier job has put beside a photo there."""
    if job.folder is not None:
        return False
    ending = next(e for e in (_COMPARISON, _DOUBT, photo.suffix) if photo.name.endswith(e))
    name = Path(photo.name.removesuffix(ending))
    if name.suffix.lower() in PHOTO_SUFFIXES:  # of a namesake, whose own ending was kept
        name = name.with_suffix("")
    return name.name.endswith(job.suffix or SUFFIX_BESIDE)


def _is_output(photo: Path, folder: Path | None, manifest: Manifest) -> bool:
    if folder is None:
        return False
    try:
        name = photo.resolve().relative_to(folder.resolve())
    except ValueError:
        return False
    return manifest.written(str(name), photo) is not None


def _check_collisions(job: JobOptions, photos: list[PlannedPhoto]) -> None:
    inputs = {photo.input.resolve() for photo in photos}
    taken: dict[Path, Path] = {}
    for photo in photos:
        targets = [job.backup / photo.name] if job.backup else [photo.output]
        if job.compare:
            targets.append(comparison_path(photo.output))
        for target in targets:
            place = target.resolve()
            if place in inputs:
                raise UsageError(f"{target}: would overwrite a photo; choose another --out")
            if taken.setdefault(place, photo.input) != photo.input:
                raise UsageError(
                    f"{taken[place]} and {photo.input} would both become {target}; run them apart"
                )
