"""The command that colours photos."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pix2color.cli.options import MODEL, Command, with_options
from pix2color.errors import MissingPathError, UsageError

# Nothing heavy is imported up here: `--help` must answer at once.
if TYPE_CHECKING:
    from pix2color.inference.adjust import Mood
    from pix2color.inference.colorizer import Colorizer
    from pix2color.inference.folder_job import Job, Outcome
    from pix2color.inference.plan import Order

_EXIT_INTERRUPTED = 130
_GALLERY = "gallery.html"

_OPTIONS = [
    MODEL,
    click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
                 help="Where the colour pictures go; folders are mirrored below it."),
    click.option("--in-place", is_flag=True, help="Replace the photos themselves; needs --backup."),
    click.option("--backup", type=click.Path(path_type=Path), metavar="DIR",
                 help="With --in-place: where the originals are copied first."),
    click.option("--suffix", default="", metavar="TEXT",
                 help="Put behind each name: photo.jpg becomes photoTEXT.jpg."),
    click.option("--format", "file_format", metavar="FORMAT",
                 type=click.Choice(["jpg", "png", "tif", "webp", "avif"], case_sensitive=False),
                 help="jpg, png, tif, webp or avif.  [default: the photo's own]"),
    click.option("--quality", type=click.IntRange(1, 100), default=92,
                 help="Of JPEG, WebP and AVIF."),
    click.option("--saturation", type=click.FloatRange(0, 3), default=1.0,
                 help="Factor of the colourfulness."),
    click.option("--temperature", type=click.FloatRange(-100, 100), default=0.0,
                 help="-100 is cool, 100 is warm."),
    click.option("--like", type=click.Path(path_type=Path), metavar="PHOTO",
                 help="Take over the mood of a colour photo."),
    click.option("--render-size", type=click.IntRange(32, 2048), metavar="PIXELS",
                 help="Short side of what the network looks at.  [default: as it was trained]"),
    click.option("--tta", is_flag=True,
                 help="Average over the photo and its mirror image; twice the work."),
    click.option("--compare", is_flag=True,
                 help="Also write before | after, as NAME.compare.jpg."),
    click.option("--gallery", is_flag=True,
                 help="Also write gallery.html: all photos with before/after sliders."),
    click.option("--force", is_flag=True, help="Colour photos that have colour already, too."),
    click.option("--overwrite", is_flag=True,
                 help="Do again what is done, and replace files that this job has not written."),
    click.option("--strip-metadata", is_flag=True,
                 help="Do not carry EXIF, XMP, IPTC and resolution over."),
    click.option("--allow-truncated", is_flag=True,
                 help="Colour files that end too early as far as they go."),
    click.option("--max-pixels", type=click.IntRange(1), default=200_000_000, metavar="N",
                 help="Refuse larger pictures: a small file can unpack to fill the memory."),
    click.option("--watch", is_flag=True, help="Go on with what is new, until Ctrl-C."),
    click.option("--workers", type=click.IntRange(1, 256), metavar="N",
                 help="Threads.  [default: one for each core]"),
    click.option("--device", default="auto",
                 help="auto, cpu, cuda, cuda:1, mps, …: where the network runs."),
    click.option("--backend", type=click.Choice(["torch", "onnx"]), default="torch",
                 help="onnx runs a file of `pix2color export` in onnxruntime."),
    click.option("--json", "as_json", is_flag=True, help="Print every photo's outcome as JSON."),
]  # fmt: skip


@click.command(
    cls=Command,
    example="""\
pix2color colorize old-photos/ --model runs/mine-gan --out colour/
pix2color colorize grandma.jpg --out . --suffix -colour --saturation 1.2 --compare""",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@with_options(*_OPTIONS)
def colorize(**options: Any) -> None:
    """Colour photos: files, and folders recursively.

    A picture keeps its size in pixels, its own luminance and its metadata. What is done is not
    done again; photos that have colour are left alone. A job that was stopped goes on where it
    was. Exit code 3: some failed, 1: all; each is named with its reason.
    """
    gallery, as_json = options.pop("gallery"), options.pop("as_json")
    _check_places(options, gallery)
    from pix2color.imaging.io import reading_limits
    from pix2color.inference.folder_job import exit_code

    with reading_limits(
        max_pixels=options.pop("max_pixels"), allow_truncated=options.pop("allow_truncated")
    ):
        watch = options.pop("watch")
        job = _job(options, watch, gallery)
        outcomes: list[Outcome] = []
        interrupted = False
        try:
            for outcome in job.watch() if watch else job.run():
                outcomes.append(outcome)
        except KeyboardInterrupt:
            interrupted = True
        outcomes.sort(key=lambda outcome: outcome.input)
        if as_json:
            click.echo(json.dumps([outcome.as_dict() for outcome in outcomes], indent=2))
        else:
            click.echo(job.told(outcomes))
        if gallery:
            from pix2color.html.gallery import write_gallery

            page = job.order.folder / _GALLERY
            write_gallery(page, job.pairs(outcomes))
            click.echo(page, err=as_json)
    if interrupted and not watch:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(_EXIT_INTERRUPTED)
    sys.exit(exit_code(outcomes))


def _job(options: dict[str, Any], watch: bool, gallery: bool) -> Job:
    from pix2color.inference.folder_job import Job
    from pix2color.processes import rank, world_size

    process, processes = rank(), world_size()
    if gallery and processes > 1:
        raise UsageError("--gallery: run once more without torchrun to write it; nothing is redone")
    if watch and not any(path.is_dir() for path in options["paths"]):
        raise UsageError("--watch: follows folders; name one")
    order = _order(options)
    return Job(_colorizer(options), order, process=process, processes=processes)


def _check_places(options: dict[str, Any], gallery: bool) -> None:
    """Where the outputs go must be clear, and safe, before anything is read."""
    out, backup, in_place = options["out"], options["backup"], options.pop("in_place")
    if in_place and backup is None:
        raise UsageError("--in-place: replaces your photos; say where to keep them with --backup")
    if backup is not None and not in_place:
        raise UsageError("--backup: goes with --in-place")
    if in_place and (out or options["suffix"] or options["file_format"]):
        raise UsageError("--in-place: keeps names and formats; leave --out, --suffix, --format")
    if out is None and not in_place:
        raise UsageError("--out: say where the colour pictures go")
    if "/" in options["suffix"] or "\\" in options["suffix"]:
        raise UsageError(f"--suffix {options['suffix']}: is part of a file name, without / or \\")
    folder = backup or out
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder")
    for path in options["paths"]:
        if backup and path.is_dir() and backup.resolve().is_relative_to(path.resolve()):
            raise UsageError(f"--backup {backup}: lies among the photos; choose a place elsewhere")
    if gallery:
        from pix2color.html.gallery import check_place

        check_place(folder / _GALLERY)


def _order(options: dict[str, Any]) -> Order:
    """What is left of the options once the colourizer's are taken."""
    from pix2color.inference.adjust import Look
    from pix2color.inference.plan import Order

    file_format = options.pop("file_format")
    look = Look(
        like=_mood(options.pop("like")),
        saturation=options.pop("saturation"),
        temperature=options.pop("temperature"),
    )
    names = {field.name for field in dataclasses.fields(Order)} & set(options)
    chosen = {name: options.pop(name) for name in names}
    return Order(look=look, ending=file_format and f".{file_format.lower()}", **chosen)


def _mood(reference: Path | None) -> Mood | None:
    if reference is None:
        return None
    from pix2color.inference.adjust import Mood

    if not reference.is_file():
        raise MissingPathError(f"{reference}: no such file")
    return Mood.of_file(reference)


def _colorizer(options: dict[str, Any]) -> Colorizer:
    from pix2color.inference.colorizer import Colorizer

    return Colorizer.load(options.pop("model"), **options)
