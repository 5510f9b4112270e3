"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but some files failed, 130 stopped by
Ctrl-C and 143 by SIGTERM, with all that was done saved.
"""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from pix2color import __version__
from pix2color.cli.colorize import colorize
from pix2color.cli.experiments import EXPERIMENTS
from pix2color.cli.options import (
    BUDGET,
    MODEL,
    PHOTOS,
    RECIPE,
    VALIDATION,
    Command,
    Group,
    as_settings,
    with_options,
)
from pix2color.cli.serve import PAGES
from pix2color.cli.tools import TOOLS
from pix2color.errors import UsageError
from pix2color.files import starting_model

# Nothing heavy is imported up here: `--help` must answer at once.


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


for command in (colorize, *PAGES, *TOOLS, *EXPERIMENTS):
    cli.add_command(command)


_RUNNING = [
    click.option("--init", type=starting_model, metavar="RUN_OR_FILE",
                 help="Start from the generator of a run or a model file; `default` is the "
                      "model that ships with the package."),
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
    from pix2color.config.load import load_recipe

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
    from pix2color.training.tensorboard import opened

    return opened(runs)


def _tell(run: Path) -> None:
    if os.environ.get("RANK", "0") == "0":  # once, however many processes torchrun started
        click.echo(run)


@cli.command(cls=Command, example="pix2color evaluate --model runs/mine-gan --data test-photos/")
@MODEL
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
    type=click.Choice(
        ["lab", "luma", "film", "mix", "blur", "vignette", "tone", "grain", "fade", "jpeg"]
    ),
    default="lab",
    help="The model sees the picture's own L*; its luma, as a gray file has it; what is left on a "
    "worn black-and-white photo; or one such effect alone.",
)
@click.option(
    "--critic/--no-critic", default=True, help="Train the patch critic (slowest measure)."
)
@click.option(
    "--perceptual",
    metavar="local|FILE",
    help="LPIPS, FID and KID, too, by networks that torch keeps here, or by a ResNet18's file.",
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
@click.option(
    "--by-folder", is_flag=True, help="Figures of each folder's photos, too (in JSON always)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(
    model: Path | None,
    data: tuple[Path, ...],
    given: str,
    critic: bool,
    perceptual: str | None,
    csv_path: Path | None,
    sheet: Path | None,
    samples: int,
    by_folder: bool,
    as_json: bool,
) -> None:
    """Measure a model on colour photos, beside the gray picture (see docs/metrics.md)."""
    from pix2color.evaluation import tables
    from pix2color.evaluation.perceptual import Perceptual
    from pix2color.evaluation.protocol import evaluate as run
    from pix2color.inference.colorizer import Colorizer

    if sheet and sheet.suffix.lower() != ".png":
        raise UsageError(f"--sheet {sheet}: a contact sheet is a PNG; let its name end in .png")
    for path in filter(None, (csv_path, sheet)):
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name a file")
    colorizer = Colorizer.load(model)
    result = run(
        colorizer,
        list(data),
        given=given,
        critic=critic,
        perceptual=Perceptual(perceptual) if perceptual else None,
        samples=samples,
    )
    click.echo(tables.to_json(result) if as_json else tables.table(result))
    if by_folder and not as_json:
        click.echo("\n" + tables.folders_table(result))
    if csv_path:
        tables.write_csv(result, csv_path)
    if sheet:
        tables.write_contact_sheet(result, sheet)


@cli.command(cls=Command, example="pix2color info runs/mine-gan")
@click.argument("model", type=click.Path(path_type=Path), metavar="[RUN_OR_FILE]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the whole header as JSON.")
def info(model: Path | None, as_json: bool) -> None:
    """Tell what a model file is and where it came from; checks that it is whole.

    Without a name: the model that ships with the package.
    """
    from pix2color.inference.network import DEFAULT_MODEL
    from pix2color.models import export

    about = export.describe(model or DEFAULT_MODEL)
    click.echo(json.dumps(about, indent=2) if as_json else export.as_text(about))


@cli.command(
    cls=Command,
    example="""\
pix2color export --format onnx --model runs/mine-gan --out mine.onnx
pix2color export --format safetensors --model runs/mine-gan --out mine.safetensors""",
)
@MODEL
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["onnx", "safetensors"]),
    required=True,
    help="onnx: for onnxruntime and others, any height and width. safetensors: a model file of "
    "half the size, in half precision.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With safetensors: a text that travels in the file's header, such as its model card.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="To be written."
)
def export(model: Path | None, file_format: str, card: Path | None, out: Path) -> None:
    """Write a model for use outside torch, or to pass on."""
    from pix2color.inference.network import DEFAULT_MODEL
    from pix2color.models.export import export_onnx, export_safetensors

    model = model or DEFAULT_MODEL

    if file_format == "safetensors":
        export_safetensors(model, out, card)
    elif card is not None:
        raise UsageError("--card: goes with --format safetensors")
    else:
        export_onnx(model, out)
    click.echo(out)
