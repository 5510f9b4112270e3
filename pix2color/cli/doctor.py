"""The commands about this installation: its health, its runs, its recipes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pix2color.cli.options import AS_JSON, PATH, Command
from pix2color.errors import Pix2colorError, UsageError

# Nothing heavy is imported up here: `--help` must answer at once.


@click.command(cls=Command, example="pix2color doctor --runs-dir runs")
@click.option("--runs-dir", type=PATH, metavar="FOLDER", default="runs",
              help="Check that runs can be kept in this folder.")  # fmt: skip
@AS_JSON
def doctor(runs_dir: Path, as_json: bool) -> None:
    """Check the installation and this machine.

    Tells what is installed, what this machine can do, and how to train on it. Exit code 1:
    something needed is broken; the cure is named.
    """
    from pix2color.cli.examination import as_text, examine

    found = examine(runs_dir)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else as_text(found))
    if found.problems:
        sys.exit(Pix2colorError.exit_code)


@click.command(cls=Command, needs=("pydantic",), example="pix2color runs runs/")
@click.argument("folder", type=PATH, default="runs")
@AS_JSON
def runs(folder: Path, as_json: bool) -> None:
    """List the training runs in a folder.

    Each with its state, steps, last validation, size and age.
    """
    from pix2color.training.run_folder import find_runs, table

    found = find_runs(folder)
    click.echo(json.dumps([run.as_dict() for run in found], indent=2) if as_json else table(found))


@click.command(
    cls=Command,
    needs=("pydantic",),
    example="pix2color recipes\npix2color recipes baselines/cnn-mse",
)
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """List the recipes that come with pix2color, or print one.

    Their names can be given to --config.
    """
    from pix2color.config.load import shipped

    found = shipped()
    if name is not None:
        if name not in found:
            raise UsageError(f"{name}: no such recipe; `pix2color recipes` lists them")
        click.echo(found[name].read_text(encoding="utf-8"), nl=False)
        return
    width = max(map(len, found))
    for recipe, path in found.items():
        about = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        click.echo(f"{recipe:{width}}  {about}")
