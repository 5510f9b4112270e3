"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but some files failed.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from pix2color import __version__
from pix2color.errors import ImageError, Pix2colorError, UsageError

# Nothing heavy is imported up here: `--help` must answer at once.

EXIT_SOME_FAILED = 3
Command = TypeVar("Command", bound=Callable[..., Any])


def main() -> None:
    """Entry point of ``pix2color``."""
    cli(prog_name="pix2color")


class _Exemplary(click.Command):
    """Its help starts with an example."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = "\n  ".join(self.example.splitlines())
        formatter.write(f"Example:\n  {lines}\n\n")
        super().format_help(ctx, formatter)


class _Command(_Exemplary):
    """A command whose errors are one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Pix2colorError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:  # a full disk, a folder that must not be written, …
            click.echo(f"error: {error.filename or self.name}: {error.strerror or error}", err=True)
            ctx.exit(Pix2colorError.exit_code)


class _Group(_Exemplary, click.Group):
    """The command of commands."""


@click.group(
    cls=_Group,
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


_TRAINING_OPTIONS = [
    click.option("--data", "train", type=click.Path(path_type=Path), multiple=True,
                 metavar="FOLDER", help="Colour photos, searched recursively; repeatable."),
    click.option("--val", type=click.Path(path_type=Path), multiple=True, metavar="FOLDER",
                 help="Photos for validation; repeatable."),
    click.option("--val-fraction", type=float, metavar="SHARE",
                 help="Without --val: share of the photos kept for it.  [default: 0.1]"),
    click.option("--epochs", type=float, help="Budget: passes over the photos."),
    click.option("--max-steps", type=int, help="Budget: optimizer steps."),
    click.option("--max-minutes", type=float, help="Budget: minutes by the clock."),
    click.option("--batch-size", type=int, help="Pictures a step and process.  [default: 16]"),
    click.option("--crop", type=int, help="Training square, in pixels.  [default: 128]"),
    click.option("--workers", type=int, help="Processes that read photos.  [default: by device]"),
    click.option("--seed", type=int, help="Fixes every random choice.  [default: 0]"),
    click.option("--name", help="Name of the run.  [default: task and time]"),
    click.option("--runs-dir", type=click.Path(path_type=Path), metavar="FOLDER",
                 help="Where runs are kept.  [default: runs]"),
    click.option("--config", type=click.Path(path_type=Path), metavar="FILE",
                 help="Recipe in YAML, such as configs/pretrain.yaml."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                 help="One setting of the recipe, such as data.flip=false; repeatable."),
    click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
                 help="Go on with a run; takes no other option than --workers."),
]  # fmt: skip


def _training_options(command: Command) -> Command:
    return functools.reduce(lambda c, option: option(c), reversed(_TRAINING_OPTIONS), command)


@cli.command(
    cls=_Command, example="pix2color pretrain --data photos/ --val-fraction 0.2 --epochs 30"
)
@_training_options
def pretrain(**options: Any) -> None:
    """Train a generator with L1 on L → ab (stage one)."""
    _train("pretrain", options)


@cli.command(
    "train-gan",
    cls=_Command,
    example="pix2color train-gan --init runs/mine --data photos/ --epochs 10",
)
@click.option("--init", type=click.Path(path_type=Path), metavar="RUN_OR_FILE",
              help="Pretrained generator: a run folder or a model file.")  # fmt: skip
@_training_options
def train_gan(**options: Any) -> None:
    """Train a pretrained generator on against a PatchGAN (stage two)."""
    _train("train-gan", options)


def _train(task: str, options: dict[str, Any]) -> None:
    from pix2color.config import load_recipe

    run, config, settings = options.pop("resume"), options.pop("config"), options.pop("settings")
    if run is not None:
        workers = options.pop("workers")
        given = [name for name, value in options.items() if value not in (None, ())]
        if given or config or settings:
            raise UsageError("--resume goes on with the run's own recipe; give only --workers")
        from pix2color.training.run import resume

        _tell(resume(run, task=task, workers=workers))
        return
    recipe = load_recipe(task, config, settings, _as_settings(options))
    from pix2color.training.run import train

    _tell(train(recipe))


def _tell(run: Path) -> None:
    if os.environ.get("RANK", "0") == "0":  # once, however many processes torchrun started
        click.echo(run)


def _as_settings(options: dict[str, Any]) -> dict[str, Any]:
    """The flags by the names that they have in a recipe."""
    data = ("train", "val", "val_fraction", "batch_size", "crop", "workers")
    budget = ("epochs", "max_steps", "max_minutes")
    sections = {**dict.fromkeys(data, "data."), **dict.fromkeys(budget, "budget.")}
    return {
        sections.get(name, "") + name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value not in (None, ())
    }


_model_option = click.option(
    "--model",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN_OR_FILE",
    help="A run folder or a model file.",
)


@cli.command(
    cls=_Command, example="pix2color colorize old-photos/ --model runs/mine-gan --out colour/"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@_model_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the colour pictures go; folders are mirrored below it.",
)
@click.option(
    "--render-size",
    type=click.IntRange(32),
    metavar="PIXELS",
    help="Short side of what the network looks at.  [default: as it was trained]",
)
@click.option("--json", "as_json", is_flag=True, help="Print every photo's outcome as JSON.")
def colorize(
    paths: tuple[Path, ...], model: Path, out: Path, render_size: int | None, as_json: bool
) -> None:
    """Colour photos: files, and folders recursively.

    A picture keeps its size in pixels and its own luminance.
    """
    from pix2color.jobs import colorize_all, plan

    outcomes = colorize_all(plan(list(paths), out), model, render_size=render_size)
    failed = [o for o in outcomes if o.error]
    if as_json:
        click.echo(json.dumps([o.as_dict() for o in outcomes], indent=2))
    else:
        click.echo(f"{len(outcomes) - len(failed)} photos coloured, {len(failed)} failed: {out}")
    if failed:
        sys.exit(EXIT_SOME_FAILED if len(failed) < len(outcomes) else ImageError.exit_code)


@cli.command(cls=_Command, example="pix2color evaluate --model runs/mine-gan --data test-photos/")
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
    model: Path,
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
    colorizer = Colorizer.from_file(model)
    result = run(colorizer, list(data), given=given, critic=critic, samples=samples)
    click.echo(report.to_json(result) if as_json else report.table(result))
    if csv_path:
        report.write_csv(result, csv_path)
    if sheet:
        report.write_contact_sheet(result, sheet)
