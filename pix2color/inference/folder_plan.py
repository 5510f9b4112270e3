"""Planning of a folder job: the photos that it colours, and where each goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pix2color.errors import DataError, MissingPathError, UsageError
from pix2color.files import fitted_name
from pix2color.imaging.folders import is_film, no_photo, search
from pix2color.imaging.io import PHOTO_SUFFIXES, output_path
from pix2color.inference.film_options import FilmOptions
from pix2color.inference.hints import FilmHint, Hint
from pix2color.inference.manifest import Manifest, without_outputs
from pix2color.inference.options import SUFFIX_BESIDE
from pix2color.inference.photo_result import FAILED, PhotoResult

COMPARISON, DOUBT = ".compare.jpg", ".doubt.png"
"""Endings of by-products."""


@dataclass
class PlannedPhoto:
    """One photo, or film, to colour.

    Attributes:
        input: the photo.
        output: where its colour version goes.
        name: of the output, relative to the folder of the job.
        by_products: by their endings, where those that are wanted go; of one that is missing
            every name is taken.
        hints: what is known about its colours.
        digest: SHA-256 of the photo's file, once it was read.
        content: of the photo's file, while it is still needed.
    """

    input: Path
    output: Path
    name: Path
    by_products: dict[str, Path] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()
    digest: str = ""
    content: bytes = b""

    @property
    def is_film(self) -> bool:
        """Whether it is a film by its name's ending."""
        return is_film(self.input)


@dataclass
class Plan:
    """The photos of a job, and what a person should hear of besides.

    Attributes:
        photos: to be coloured.
        failed: what cannot be done at all: places that cannot be read, photos whose places are
            taken.
        others: files of kinds that are not read.
    """

    photos: list[PlannedPhoto] = field(default_factory=list)
    failed: list[PhotoResult] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


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
        all_pages: colour every page or frame of a file, into one file.
        film: how films are kept still, and written.
        target: where the one photo or film goes, if it is to have that name.
        film_hints: what is known about its colours.
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
    all_pages: bool = False
    film: FilmOptions = field(default_factory=FilmOptions)
    target: Path | None = None
    film_hints: tuple[FilmHint, ...] = ()

    @property
    def folder(self) -> Path | None:
        """The folder of the job, where its manifest is; None: outputs lie beside the photos."""
        return self.backup or self.out

    @property
    def added(self) -> str:
        """What is put behind the names of photos."""
        return self.suffix or ("" if self.folder else SUFFIX_BESIDE)

    @property
    def by_products(self) -> list[str]:
        """Endings of the by-products that are wanted."""
        return [COMPARISON] * self.compare + [DOUBT] * self.doubt


def plan(job: JobOptions, manifest: Manifest, *, patient: bool = False) -> Plan:
    """Return every photo named or below a folder named, and where its colour version goes.

    Outputs of this job that lie among the photos are no photos to colour.

    Args:
        job: the paths, and where outputs go.
        manifest: of what was done before.
        patient: folders may be away or empty for now, and photos whose outputs would be others'
            fail alone.

    Raises:
        MissingPathError: a path is not there.
        DataError: there is no photo.
        UsageError: an output would overwrite an input or another output.
    """
    found = Plan()
    for path in job.paths:
        try:
            _look(job, path, found)
        except (MissingPathError, DataError, OSError):
            if not patient:
                raise
    if job.backup is None:
        found.photos = [p for p in found.photos if not _is_output(p.input, job.folder, manifest)]
    else:
        found.photos = [photo for photo in found.photos if not _is_by_product(photo, manifest)]
    found.photos = _each_once(found.photos, in_place=job.backup is not None)
    _separate_namesakes(job, found.photos, manifest)
    for photo, reason in list(_collisions(job, found.photos)):
        if not patient:
            raise UsageError(reason)
        found.photos.remove(photo)
        found.failed.append(PhotoResult(photo.input, None, FAILED, reason))
    _place_by_products(job, [p for p in found.photos if not p.is_film], manifest)
    return found


def _look(job: JobOptions, path: Path, found: Plan) -> None:
    """Add what a path holds."""
    if not path.is_dir():
        if not path.exists():
            raise MissingPathError(f"{path}: no such file or folder")
        found.photos.append(_planned(job, path, Path(path.name)))
        return
    there = search(path)
    if not there.photos and not there.films and not there.unreadable:
        raise no_photo(path, there)
    photos = [p for p in without_outputs(there) + there.films if not _is_out(job, path, p)]
    found.photos += [_planned(job, photo, photo.relative_to(path)) for photo in photos]
    found.failed += [
        PhotoResult(place, None, FAILED, f"{place}: {reason}")
        for place, reason in there.unreadable.items()
    ]
    found.others += there.others


def _planned(job: JobOptions, photo: Path, name: Path) -> PlannedPhoto:
    if job.backup is not None:
        return PlannedPhoto(photo, photo, name)
    if job.target is not None:
        return PlannedPhoto(photo, job.target, job.target)
    film = is_film(photo)
    own = job.out is not None or job.all_pages  # JPEG has no pages
    ending = job.ending or (output_path(name).suffix if own else ".jpg")
    ending = job.film.ending(photo.suffix) if film else ending
    called = _fitted(job, photo.stem + job.added, ending)
    if job.out is None:
        return PlannedPhoto(photo, photo.with_name(called), photo.with_name(called))
    name = name.with_name(called)
    return PlannedPhoto(photo, job.out / name, name)


def _fitted(job: JobOptions, stem: str, tail: str) -> str:
    """Return a name that is not too long, and still ends with what the job puts behind names."""
    kept = job.added if stem.endswith(job.added) else ""
    return fitted_name(stem.removesuffix(kept), kept + tail)


def _separate_namesakes(job: JobOptions, photos: list[PlannedPhoto], manifest: Manifest) -> None:
    """Let ``a.gif`` beside ``a.png`` become ``a.gif.png``: the photo of that name keeps it.

    So does one that was done when it was alone.
    """
    namesakes = defaultdict(list)
    for photo in photos:
        namesakes[photo.output].append(photo)
    for group in filter(lambda group: len(group) > 1, namesakes.values()):
        first = _keeper(group, manifest)
        for photo in group:
            # Of two folders, not only namesakes but the same: that is for a person to decide.
            if first is None or photo.input.name != first.input.name:
                ending = photo.input.suffix + photo.output.suffix
                photo.name = photo.name.with_name(_fitted(job, photo.name.stem, ending))
                photo.output = photo.output.with_name(photo.name.name)


def _keeper(group: list[PlannedPhoto], manifest: Manifest) -> PlannedPhoto | None:
    """Return which of several namesakes keeps the name that all would have, if any does."""
    for photo in group:
        if manifest.made_from(str(photo.name), photo.input):
            return photo
    same = [p for p in group if p.input.suffix.lower() == p.output.suffix.lower()]
    exactly = [p for p in same if p.input.suffix == p.output.suffix]
    return next(iter(exactly or same), None)


def _place_by_products(job: JobOptions, photos: list[PlannedPhoto], manifest: Manifest) -> None:
    """Give by-products places where nothing else is; those done before keep theirs."""
    if not job.by_products:
        return
    taken = {path.resolve() for photo in photos for path in (photo.input, photo.output)}
    for ending in job.by_products:
        plain = {photo.input: _fitted(job, photo.output.stem, ending) for photo in photos}
        new = [
            not manifest.made_from(str(photo.name.with_name(plain[photo.input])), photo.input)
            for photo in photos
        ]
        for _, photo in sorted(zip(new, photos, strict=True), key=lambda pair: pair[0]):
            for name in (plain[photo.input], _fitted(job, photo.output.name, ending)):
                place = photo.output.with_name(name)
                if place.resolve() not in taken:
                    photo.by_products[ending] = place
                    taken.add(place.resolve())
                    break


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
    ending = next(e for e in (COMPARISON, DOUBT, photo.suffix) if photo.name.endswith(e))
    name = Path(photo.name.removesuffix(ending))
    while name.suffix.lower() in PHOTO_SUFFIXES or is_film(
        name
    ):  # of a namesake, whose own ending was kept
        name = name.with_suffix("")
    return name.name.endswith(job.added)


def _is_output(photo: Path, folder: Path | None, manifest: Manifest) -> bool:
    if folder is None:
        return False
    try:
        name = photo.resolve().relative_to(folder.resolve())
    except ValueError:
        return False
    return manifest.written(str(name), photo) is not None


def _is_by_product(photo: PlannedPhoto, manifest: Manifest) -> bool:
    """Return whether a photo to be replaced is what an earlier job has put beside one."""
    named = photo.input.name.endswith((COMPARISON, DOUBT))
    return named and manifest.written(str(photo.name), photo.input) is not None


def _each_once(photos: list[PlannedPhoto], *, in_place: bool) -> list[PlannedPhoto]:
    """Leave out photos that were named twice; in place, also other names of the same file."""
    if not in_place:
        return list({(photo.input, photo.output): photo for photo in photos}.values())
    once: dict[tuple[int, int] | Path, PlannedPhoto] = {}
    for photo in photos:
        try:
            status = photo.input.stat()
        except OSError:  # named when it is read
            once[photo.input] = photo
            continue
        file = status.st_dev, status.st_ino
        if file not in once or once[file].input.is_symlink():
            once[file] = photo
    return list(once.values())


def _collisions(job: JobOptions, photos: list[PlannedPhoto]) -> Iterator[tuple[PlannedPhoto, str]]:
    """Yield the photos whose outputs would overwrite an input or another output, and why."""
    inputs = {photo.input.resolve() for photo in photos}
    other = "--backup" if job.backup else "--out"
    taken: dict[Path, Path] = {}
    for photo in photos:
        target = job.backup / photo.name if job.backup else photo.output
        place = target.resolve()
        if place in inputs:
            yield photo, f"{target}: would overwrite a photo; choose another {other}"
        elif taken.setdefault(place, photo.input) != photo.input:
            both = f"{taken[place]} and {photo.input} would both become {target}"
            yield photo, f"{both}; run them apart, each with its own {other}"
