"""Which photos a job colours, and where each goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pix2color.errors import MissingPathError, UsageError
from pix2color.imaging.io import DEFAULT_QUALITY, find_photos
from pix2color.inference.adjust import Look
from pix2color.inference.manifest import Manifest

# GIF has too few colours for a photo; its colour version becomes a PNG.
OTHER_ENDINGS = {".gif": ".png"}
_COMPARE = ".compare.jpg"


@dataclass
class Task:
    """One photo to colour.

    Attributes:
        input: the photo.
        output: where its colour version goes.
        name: of the output, relative to the folder of the job.
        digest: SHA-256 of the photo's file, once it was read.
        original: the file itself, if it is to be replaced.
    """

    input: Path
    output: Path
    name: Path
    digest: str = ""
    original: bytes = b""


@dataclass(frozen=True)
class Order:
    """What a job is to do.

    Attributes:
        paths: photos, and folders of them.
        out: where outputs go; folders are mirrored below it.
        backup: replace the photos themselves, after copying them to this folder.
        suffix: put behind the names of outputs.
        ending: of outputs, such as ``.png``; by default the photo's own.
        look: what to do to the colours.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        strip_metadata: carry nothing over but pixels.
        force: colour photos that have colour, too.
        overwrite: do again what is done, and replace files that this job has not written.
        compare: write before | after beside each output.
        workers: threads; by default one for each core.
    """

    paths: tuple[Path, ...]
    out: Path | None = None
    backup: Path | None = None
    suffix: str = ""
    ending: str | None = None
    look: Look = field(default_factory=Look)
    quality: int = DEFAULT_QUALITY
    strip_metadata: bool = False
    force: bool = False
    overwrite: bool = False
    compare: bool = False
    workers: int | None = None

    @property
    def folder(self) -> Path:
        """Of the job: where its manifest is."""
        folder = self.backup or self.out
        assert folder is not None
        return folder


def plan(order: Order, manifest: Manifest) -> list[Task]:
    """Every photo named or below a folder named, and where its colour version goes.

    Outputs of this job that lie among the photos are no photos to colour.

    Raises:
        MissingPathError: a path is not there.
        DataError: there is no photo.
        UsageError: an output would overwrite an input or another output.
    """
    tasks = []
    for path in order.paths:
        if path.is_dir():
            found = find_photos(path)
            tasks += [_task(order, photo, photo.relative_to(path)) for photo in found]
        elif path.exists():
            tasks.append(_task(order, path, Path(path.name)))
        else:
            raise MissingPathError(f"{path}: no such file or folder")
    if order.backup is None:
        tasks = [task for task in tasks if not _is_output(task.input, order.folder, manifest)]
    tasks = list({(task.input, task.output): task for task in tasks}.values())  # named twice
    _part_namesakes(tasks)
    _check_collisions(order, tasks)
    return tasks


def _part_namesakes(tasks: list[Task]) -> None:
    """``a.gif`` beside ``a.png`` becomes ``a.gif.png``: the photo of that name keeps it."""
    outputs = Counter(task.output for task in tasks)
    for task in tasks:
        own, ending = task.input.suffix, task.output.suffix
        if outputs[task.output] > 1 and own.lower() != ending.lower():
            task.name = task.name.with_name(f"{task.name.stem}{own}{ending}")
            task.output = task.output.with_name(task.name.name)


def _task(order: Order, photo: Path, name: Path) -> Task:
    if order.out is None:
        return Task(photo, photo, name)
    ending = order.ending or OTHER_ENDINGS.get(name.suffix.lower(), name.suffix)
    name = name.with_name(name.stem + order.suffix + ending)
    return Task(photo, order.out / name, name)


def _is_output(photo: Path, folder: Path, manifest: Manifest) -> bool:
    try:
        name = photo.resolve().relative_to(folder.resolve())
    except ValueError:
        return False
    return manifest.written(str(name), photo) is not None


def _check_collisions(order: Order, tasks: list[Task]) -> None:
    inputs = {task.input.resolve() for task in tasks}
    taken: dict[Path, Path] = {}
    for task in tasks:
        targets = [task.output] if order.out else [order.folder / task.name]
        if order.compare:
            targets.append(compare_path(task.output))
        for target in targets:
            place = target.resolve()
            if place in inputs:
                raise UsageError(f"{target}: would overwrite a photo; choose another --out")
            if taken.setdefault(place, task.input) != task.input:
                raise UsageError(
                    f"{taken[place]} and {task.input} would both become {target}; run them apart"
                )


def compare_path(output: Path) -> Path:
    """Where before | after goes."""
    return output.with_name(output.stem + _COMPARE)
