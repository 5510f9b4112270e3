"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but some files failed, 130 stopped by
Ctrl-C and 143 by SIGTERM, with all that was done saved.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pix2color import __version__
from pix2color.cli_tools import TOOLS
from pix2color.commands import (
    BUDGET,
    PHOTOS,
    RECIPE,
    VALIDATION,
    Command,
    Group,
    as_settings,
    with_options,
)
from pix2color.errors import ImageError, MissingPathError, UsageError

# Nothing heavy is imported up here: `--help` must answer at once.
if TYPE_CHECKING:
    from pix2color.colorizer import Colorizer
    from pix2color.jobs import Job, Outcome
    from pix2color.look import Mood
    from pix2color.plan import Order

EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130
GALLERY = "gallery.html"


def main() -> None:
    """Entry point of ``pix2color``."""
    cli(prog_name="pix2color")


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    example="""\
pix2color pretrain --data photos/ --name mine --epochs 30
pix2color train-gan --init runs/mine --data photos/ --name mine-gan --epochs 10
pix2color colorize old-photos/ --model runs/mine-gan --out colour/
pix2color evaluate --model runs/mine-gan --data test-photos/""",
)
@click.version_option(__version__)
def cli() -> None:
    """Colour for black-and-white photographs, and training of one's own colourizer."""


for tool in TOOLS:
    cli.add_command(tool)


_RUNNING = [
    click.option("--init", type=click.Path(path_type=Path), metavar="RUN_OR_FILE",
                 help="Start from the generator of a run or a model file."),
    click.option("--compile", is_flag=True, default=None,
                 help="Train with torch.compile: slow to start, then faster, above all on GPUs."),
    click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
                 help="Go on with a run; takes no other option than --workers and "
                      "--open-tensorboard."),
    click.option("--open-tensorboard", is_flag=True,
                 help="Start TensorBoard on the runs, for as long as the training lasts."),
]  # fmt: skip
_TRAINING_OPTIONS = [*PHOTOS, *VALIDATION, *BUDGET, *RECIPE, *_RUNNING]


@cli.command(
    cls=Command, example="pix2color pretrain --data photos/ --val-fraction 0.2 --epochs 30"
)
@with_options(*_TRAINING_OPTIONS)
def pretrain(**options: Any) -> None:
    """Train a generator with L1 on L → ab (stage one)."""
    _train("pretrain", options)


@cli.command(
    "train-gan",
    cls=Command,
    example="pix2color train-gan --init runs/mine --data photos/ --epochs 10",
)
@click.option(
    "--select",
    is_flag=True,
    help="Export the best validation instead of the last: the lowest ΔE00 of those whose "
    "colourfulness ratio is in selection.band.",
)
@with_options(*_TRAINING_OPTIONS)
def train_gan(select: bool, **options: Any) -> None:
    """Train a pretrained generator on against a PatchGAN (stage two)."""
    _train("train-gan", {**options, "select": select or None})


def _train(task: str, options: dict[str, Any]) -> None:
    from pix2color.config import load_recipe

    run, config, settings = options.pop("resume"), options.pop("config"), options.pop("settings")
    watched = options.pop("open_tensorboard")
    if run is not None:
        workers = options.pop("workers")
        given = [name for name, value in options.items() if value not in (None, ())]
        if given or config or settings:
            raise UsageError(
                "--resume goes on with the run's own recipe; give only --workers and "
                "--open-tensorboard"
            )
        from pix2color.training.run import resume

        with _board(run.absolute().parent if watched else None):
            _tell(resume(run, task=task, workers=workers))
        return
    recipe = load_recipe(task, config, settings, as_settings(options))
    from pix2color.training.run import train

    with _board(recipe.runs_dir if watched else None):
        _tell(train(recipe))


def _board(runs: Path | None) -> AbstractContextManager[None]:
    """TensorBoard on a folder of runs, once however many processes torchrun started."""
    if runs is None or os.environ.get("RANK", "0") != "0":
        return nullcontext()
    from pix2color.board import opened

    return opened(runs)


def _tell(run: Path) -> None:
    if os.environ.get("RANK", "0") == "0":  # once, however many processes torchrun started
        click.echo(run)


_model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="RUN_OR_FILE",
    help="A run folder or a model file.  [default: the model that ships with the package]",
)
_render_size_option = click.option(
    "--render-size",
    type=click.IntRange(32, 2048),
    metavar="PIXELS",
    help="Short side of what the network looks at.  [default: as it was trained]",
)
_tta_option = click.option(
    "--tta", is_flag=True, help="Average over the photo and its mirror image; twice the work."
)
_device_option = click.option(
    "--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, …: where the network runs."
)

_COLORIZE_OPTIONS = [
    _model_option,
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
    _render_size_option,
    _tta_option,
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
    _device_option,
    click.option("--backend", type=click.Choice(["torch", "onnx"]), default="torch",
                 help="onnx runs a file of `pix2color export` in onnxruntime."),
    click.option("--json", "as_json", is_flag=True, help="Print every photo's outcome as JSON."),
]  # fmt: skip


@cli.command(
    cls=Command,
    example="""\
pix2color colorize old-photos/ --model runs/mine-gan --out colour/
pix2color colorize grandma.jpg --out . --suffix -colour --saturation 1.2 --compare""",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@with_options(*_COLORIZE_OPTIONS)
def colorize(**options: Any) -> None:
    """Colour photos: files, and folders recursively.

    A picture keeps its size in pixels, its own luminance and its metadata. What is done is not
    done again; photos that have colour are left alone. A job that was stopped goes on where it
    was. Exit code 3: some failed, each is named with its reason.
    """
    gallery, as_json = options.pop("gallery"), options.pop("as_json")
    _check_places(options, gallery)
    from pix2color import images

    with images.limits(
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
            from pix2color.gallery import write_gallery

            page = job.order.folder / GALLERY
            write_gallery(page, job.pairs(outcomes))
            click.echo(page, err=as_json)
    if interrupted and not watch:
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(EXIT_INTERRUPTED)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    if failed:
        sys.exit(EXIT_SOME_FAILED if failed < len(outcomes) else ImageError.exit_code)


def _job(options: dict[str, Any], watch: bool, gallery: bool) -> Job:
    from pix2color.jobs import Job, launched

    process, processes = launched()
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
        from pix2color.gallery import check_place

        check_place(folder / GALLERY)


def _order(options: dict[str, Any]) -> Order:
    """What is left of the options once the colourizer's are taken."""
    from pix2color.look import Look
    from pix2color.plan import Order

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
    from pix2color.look import Mood

    if not reference.is_file():
        raise MissingPathError(f"{reference}: no such file")
    return Mood.of_file(reference)


def _colorizer(options: dict[str, Any]) -> Colorizer:
    from pix2color.colorizer import Colorizer

    return Colorizer.load(options.pop("model"), **options)


@cli.command(cls=Command, example="pix2color evaluate --model runs/mine-gan --data test-photos/")
@_model_option
@click.option(
    "--data",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Colour photos, searched recursively; repeatable.",
)
@click.option(
    "--input",
    "given",
    type=click.Choice(["lab", "luma"]),
    default="lab",
    help="The model sees the picture's own L*, or its luma as a gray file has it.",
)
@click.option(
    "--critic/--no-critic", default=True, help="Train the patch critic (slowest measure)."
)
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the figures of every photo.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a contact sheet (PNG): gray | ours | truth.",
)
@click.option("--samples", type=click.IntRange(1), default=12, help="Pictures on the sheet.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(
    model: Path | None,
    data: tuple[Path, ...],
    given: Literal["lab", "luma"],
    critic: bool,
    csv_path: Path | None,
    sheet: Path | None,
    samples: int,
    as_json: bool,
) -> None:
    """Measure a model on colour photos, beside the gray picture (see docs/metrics.md)."""
    from pix2color import report
    from pix2color.colorizer import Colorizer
    from pix2color.evaluate import evaluate as run

    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"--sheet {sheet}: a contact sheet is a PNG; let its name end in .png")
    for path in filter(None, (csv_path, sheet)):
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name a file")
    colorizer = Colorizer.load(model)
    result = run(colorizer, list(data), given=given, critic=critic, samples=samples)
    click.echo(report.to_json(result) if as_json else report.table(result))
    if csv_path:
        report.write_csv(result, csv_path)
    if sheet:
        report.write_contact_sheet(result, sheet)


@cli.command(cls=Command, example="pix2color info runs/mine-gan")
@click.argument("model", type=click.Path(path_type=Path), metavar="RUN_OR_FILE")
@click.option("--json", "as_json", is_flag=True, help="Print the whole header as JSON.")
def info(model: Path, as_json: bool) -> None:
    """Tell what a model file is and where it came from; checks that it is whole."""
    from pix2color import export

    about = export.describe(model)
    click.echo(json.dumps(about, indent=2) if as_json else export.as_text(about))


@cli.command(
    cls=Command,
    example="pix2color export --format onnx --model runs/mine-gan --out mine.onnx",
)
@_model_option
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["onnx"]),
    required=True,
    help="onnx: for onnxruntime and others, any height and width.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="To be written."
)
def export(model: Path | None, file_format: str, out: Path) -> None:
    """Write a model for use outside torch."""
    from pix2color.export import export_onnx

    assert file_format == "onnx"
    export_onnx(model, out)
    click.echo(out)
