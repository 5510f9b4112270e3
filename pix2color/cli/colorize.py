"""The command that colours photos."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pix2color.cli.options import MODEL, PATH, Command, with_options
from pix2color.errors import UsageError
from pix2color.inference.film_options import CODECS, CONTAINERS, MAX_CRF, FilmOptions
from pix2color.inference.options import (
    DEFAULT_QUALITY,
    DEPTHS,
    FORMATS,
    MAX_SATURATION,
    MAX_TEMPERATURE,
    QUALITIES,
    RENDER_SIZES,
    SUFFIX_BESIDE,
    ColorizeOptions,
)
from pix2color.processes import share

# Nothing heavy is imported up here: `--help` must answer at once.
if TYPE_CHECKING:
    from pix2color.inference.folder_job import FolderJob
    from pix2color.inference.photo_result import PhotoResult

_EXIT_INTERRUPTED, _EXIT_TERMINATED = 130, 143
_SHALLOW = ("jpg", "jpeg", "webp", "avif")
_PICTURES = (".jpeg", ".tiff", *(f".{name}" for name in FORMATS))
_GALLERY = "gallery.html"

_OPTIONS = [
    MODEL,
    click.option("--out", type=click.Path(path_type=Path), metavar="PATH",
                 help="Where the colour pictures go; folders are mirrored below it.  Of one photo "
                 "or film, also its new name, such as colour.png.  [default: beside the photos, as "
                 f"NAME{SUFFIX_BESIDE}.jpg]"),
    click.option("--in-place", is_flag=True, help="Replace the photos themselves; needs --backup."),
    click.option("--backup", type=click.Path(path_type=Path), metavar="DIR",
                 help="With --in-place: where the originals are copied first."),
    click.option("--suffix", default="", metavar="TEXT",
                 help="Put behind each name: photo.jpg becomes photoTEXT.jpg."),
    click.option("--format", "file_format", metavar="FORMAT",
                 type=click.Choice(FORMATS, case_sensitive=False),
                 help="jpg, png, tif, webp or avif.  [default: the photo's own; without --out, "
                 "jpg]"),
    click.option("--quality", type=click.IntRange(*QUALITIES), default=DEFAULT_QUALITY,
                 help="Write JPEG, WebP and AVIF in this quality."),
    click.option("--depth", type=click.Choice(list(map(str, DEPTHS))), default=str(DEPTHS[0]),
                 help="Bits of a channel: 16 keep all of a deep scan, in PNG and TIFF."),
    click.option("--saturation", type=click.FloatRange(0, MAX_SATURATION), default=1.0,
                 help="Multiply the colourfulness by this factor."),
    click.option("--temperature", default=0.0,
                 type=click.FloatRange(-MAX_TEMPERATURE, MAX_TEMPERATURE),
                 help="Shift the colours, from -100 (cool) to 100 (warm)."),
    click.option("--like", type=click.Path(path_type=Path), metavar="PHOTO",
                 help="Take over the mood of a colour photo."),
    click.option("--hint", "hints", multiple=True, metavar="X,Y,COLOR",
                 help="Say what colour a thing is: a place in it, in pixels of the upright photo, "
                 "and #rrggbb or a name; repeatable. NAME.hints.json beside a photo is read, too.  "
                 "In a film, X,Y,COLOR@TIME, and it moves along with the thing until the cut."),
    click.option("--render-size", type=click.IntRange(*RENDER_SIZES), metavar="PIXELS",
                 help="Short side of what the network looks at.  [default: as it was trained]"),
    click.option("--tta", is_flag=True,
                 help="Average over the photo and its mirror image; twice the work."),
    click.option("--pages", type=click.Choice(["first", "all"]), default="first",
                 help="Of a file with several pages or frames, colour the first alone, or all of "
                 "them into one file (TIFF, WebP, GIF, PNG)."),
    click.option("--compare", is_flag=True,
                 help="Also write before | after, as NAME.compare.jpg."),
    click.option("--doubt", is_flag=True,
                 help="Also write NAME.doubt.png: the lighter, the more the model guesses."),
    click.option("--gallery", is_flag=True,
                 help="Also write gallery.html: all photos with before/after sliders."),
    click.option("--codec", type=click.Choice(list(CODECS)), default=FilmOptions.codec,
                 help="Films: how they are encoded; ffv1 is lossless, in .mkv and .mp4."),
    click.option("--crf", type=click.IntRange(0, MAX_CRF), metavar="N",
                 help="Films: the quality; lower is better and larger.  [default: "
                 + ", ".join(f"{c.crf} for {n}" for n, c in CODECS.items() if c.crf) + "]"),
    click.option("--no-temporal", is_flag=True,
                 help="Films: colour each frame by itself, which flickers."),
    click.option("--preview", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
                 help="Films: only the first seconds."),
    click.option("--force", is_flag=True, help="Colour photos that have colour already, too."),
    click.option("--overwrite", is_flag=True,
                 help="Do again what is done, and replace files that this job has not written."),
    click.option("--strip-metadata", is_flag=True,
                 help="Do not carry EXIF, XMP, IPTC and resolution over."),
    click.option("--allow-truncated", is_flag=True,
                 help="Colour files that end too early as far as they go."),
    click.option("--max-pixels", type=click.IntRange(1), default=200_000_000, metavar="N",
                 help="Refuse larger pictures: a small file can unpack to fill the memory."),
    click.option("--shard", metavar="I/N",
                 help="Colour the I-th of N parts of the photos, such as 1/4; others do the rest.  "
                 "[default: as RANK and WORLD_SIZE, or SLURM_PROCID and SLURM_NTASKS say]"),
    click.option("--watch", is_flag=True, help="Go on with what is new, until Ctrl-C."),
    click.option("--workers", type=click.IntRange(1, 256), metavar="N",
                 help="Work in so many threads.  [default: one for each core]"),
    click.option("--device", default="auto",
                 help="Where the network runs; `pix2color doctor` lists devices."),
    click.option("--json", "as_json", is_flag=True, help="Print every photo's outcome as JSON."),
]  # fmt: skip


@click.command(
    cls=Command,
    example="""\
pix2color colorize old-photos/ --out colour/ --gallery
pix2color grandma.jpg --hint '310,220,#7a2e2e'
pix2color colorize film.mp4 --out colour.mp4""",
)
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH…")
@with_options(*_OPTIONS)
def colorize(
    paths: tuple[Path, ...],
    model: Path,
    out: Path | None,
    in_place: bool,
    backup: Path | None,
    suffix: str,
    file_format: str | None,
    quality: int,
    depth: str,
    saturation: float,
    temperature: float,
    like: Path | None,
    hints: tuple[str, ...],
    render_size: int | None,
    tta: bool,
    pages: str,
    compare: bool,
    doubt: bool,
    gallery: bool,
    codec: str,
    crf: int | None,
    no_temporal: bool,
    preview: float | None,
    force: bool,
    overwrite: bool,
    strip_metadata: bool,
    allow_truncated: bool,
    max_pixels: int,
    shard: str | None,
    watch: bool,
    workers: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Colour photos and films: files, and folders recursively.

    A picture keeps its size in pixels, its own luminance and its metadata. What is done is not
    done again; photos that have colour are left alone. A job that was stopped goes on where it
    was. Exit code 3: some failed, 1: all; each is named with its reason. Before a path, the word
    colorize can be left out.
    """
    film_options = FilmOptions(codec, crf, steady=not no_temporal, preview=preview)
    target, out = _target(paths, out)
    _check_outputs(target, out, backup, in_place, suffix, file_format, gallery)
    folder = backup or out
    _check_folder(folder, backup, paths, gallery)
    process, processes = share(shard)
    if gallery and processes > 1:
        raise UsageError("--gallery: run once more in one process to write it; nothing is redone")
    if watch and not any(path.is_dir() for path in paths):
        raise UsageError("--watch: follows folders; name one")
    written = target.suffix.lower()[1:] if target else None if out or in_place else "jpg"
    if depth == "16" and (file_format or written) in _SHALLOW:
        raise UsageError("--depth 16: goes with --format png or tif")
    if depth == "16" and pages == "all":
        raise UsageError("--depth 16: goes with one page; leave --pages all out")
    if hints and (len(paths) > 1 or paths[0].is_dir()):
        raise UsageError(
            "--hint: is about one photo or film; for several, put NAME.hints.json beside each photo"
        )
    options = ColorizeOptions(
        saturation=saturation,
        temperature=temperature,
        like=like,
        render_size=render_size,
        tta=tta,
        quality=quality,
        depth=int(depth),
        keep_metadata=not strip_metadata,
        force=force,
    )
    from pix2color.imaging.folders import is_film
    from pix2color.imaging.io import reading_limits
    from pix2color.inference.colorizer import Colorizer
    from pix2color.inference.folder_job import FolderJob
    from pix2color.inference.folder_plan import JobOptions
    from pix2color.inference.hints import FilmHint, Hint

    about_film = bool(hints) and is_film(paths[0])
    ending = f".{file_format.lower()}" if file_format else None
    job_options = JobOptions(
        paths,
        out,
        backup,
        suffix,
        ending,
        overwrite,
        compare,
        workers,
        hints=() if about_film else tuple(map(Hint.parse, hints)),
        doubt=doubt,
        all_pages=pages == "all",
        film=film_options,
        target=target,
        film_hints=tuple(map(FilmHint.parse, hints)) if about_film else (),
    )
    with reading_limits(max_pixels=max_pixels, allow_truncated=allow_truncated):
        colorizer = Colorizer.load(model, device)
        job = FolderJob(colorizer, job_options, options, process=process, processes=processes)
        page = folder / _GALLERY if folder and gallery else None
        _run(job, watch=watch, page=page, as_json=as_json)


def _run(job: FolderJob, *, watch: bool, page: Path | None, as_json: bool) -> None:
    """Do the job, print its results, and exit with its code."""
    from pix2color.inference.photo_result import exit_code
    from pix2color.inference.watch import watch as follow

    results: list[PhotoResult] = []
    interrupted = 0
    try:
        with _terminable():
            for result in follow(job) if watch else job.run():
                results.append(result)
    except KeyboardInterrupt as stop:
        interrupted = _EXIT_TERMINATED if stop.args else _EXIT_INTERRUPTED
    results.sort(key=lambda result: result.input)
    if as_json:
        click.echo(json.dumps([result.as_dict() for result in results], indent=2))
    else:
        click.echo(job.summary(results))
    if page is not None:
        from pix2color.html.gallery import write_gallery

        write_gallery(page, job.gallery_entries(results))
        click.echo(page, err=as_json)
    if interrupted and not watch:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(interrupted)
    sys.exit(exit_code(results))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM, by which systems and schedulers end a job, do what Ctrl-C does."""

    def stop(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _target(paths: tuple[Path, ...], out: Path | None) -> tuple[Path | None, Path | None]:
    """Return the photo or film that ``--out`` names, and the folder, one of which is None."""
    from pix2color.imaging.folders import is_film

    ending = "" if out is None else out.suffix.lower()
    if out is None or ending not in (*CONTAINERS, *_PICTURES) or out.is_dir():
        return None, out
    kind = "film" if ending in CONTAINERS else "photo"
    if len(paths) > 1 or paths[0].is_dir():
        raise UsageError(
            f"--out {out}: is the name of one {kind}; of several things, name a folder"
        )
    if paths[0].exists() and is_film(paths[0]) != (kind == "film"):
        raise UsageError(f"--out {out}: is the name of a {kind}, and {paths[0]} is none")
    return out, None


def _check_outputs(
    target: Path | None,
    out: Path | None,
    backup: Path | None,
    in_place: bool,
    suffix: str,
    file_format: str | None,
    gallery: bool,
) -> None:
    """Check that the options say clearly where the colour pictures go."""
    if in_place and backup is None:
        raise UsageError("--in-place: replaces your photos; say where to keep them with --backup")
    if backup is not None and not in_place:
        raise UsageError("--backup: goes with --in-place")
    if in_place and (out or target or suffix or file_format):
        raise UsageError("--in-place: keeps names and formats; leave --out, --suffix, --format")
    if target and (suffix or file_format):
        raise UsageError(f"--out {target}: is a whole name; leave --suffix and --format")
    if gallery and out is None and not in_place:
        raise UsageError("--gallery: goes with a folder as --out, where it is written")
    if "/" in suffix or "\\" in suffix:
        raise UsageError(f"--suffix {suffix}: is part of a file name, without / or \\")


def _check_folder(
    folder: Path | None, backup: Path | None, paths: tuple[Path, ...], gallery: bool
) -> None:
    """Check that the folder of the job is safe to write to, before anything is read."""
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder")
    for path in paths:
        if backup and path.is_dir() and backup.resolve().is_relative_to(path.resolve()):
            raise UsageError(f"--backup {backup}: lies among the photos; choose a place elsewhere")
    if gallery:
        from pix2color.html.gallery import check_place

        check_place(folder / _GALLERY)
