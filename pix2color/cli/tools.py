"""The commands around training: prepare, doctor, runs, lr-find, overfit, pretrain-encoder."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from pix2color.cli.options import (
    BUDGET,
    PHOTOS,
    RECIPE,
    VALIDATION,
    Command,
    as_settings,
    with_options,
)
from pix2color.errors import Pix2colorError, UsageError

_as_json = click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")


@click.command(cls=Command, example="pix2color doctor --runs-dir runs")
@click.option("--runs-dir", type=click.Path(path_type=Path), metavar="FOLDER", default="runs",
              help="Where runs are to be kept.")  # fmt: skip
@_as_json
def doctor(runs_dir: Path, as_json: bool) -> None:
    """Tell what is installed, what this machine can do, and how to train on it.

    Exit code 1: something needed is broken; the cure is named.
    """
    from pix2color.cli.examination import as_text, examine

    found = examine(runs_dir)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else as_text(found))
    if found.problems:
        sys.exit(Pix2colorError.exit_code)


@click.command(cls=Command, example="pix2color runs runs/")
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@_as_json
def runs(folder: Path, as_json: bool) -> None:
    """List the training runs in a folder: state, steps, last validation, size, age."""
    from pix2color.training.run_folder import find_runs, table

    found = find_runs(folder)
    click.echo(json.dumps([run.as_dict() for run in found], indent=2) if as_json else table(found))


@click.command(cls=Command, example="pix2color recipes\npix2color recipes baselines/cnn-mse")
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """List the recipes that come with pix2color, for --config; or print one."""
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


@click.command(
    "lr-find", cls=Command, example="pix2color lr-find --data photos/ --config my-recipe.yaml"
)
@with_options(*PHOTOS, *RECIPE)
@click.option("--steps", type=click.IntRange(30), default=100, help="Of the mock training.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", default="lr-find.png",
              help="The plot (PNG).")  # fmt: skip
@_as_json
def lr_find(steps: int, out: Path, as_json: bool, **options: Any) -> None:
    """Find a learning rate for `pretrain`: a short mock training with a rising one.

    The network is thrown away.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("lr-find: runs in one process; start it without torchrun")
    if out.suffix.lower() != ".png" or out.is_dir():
        raise UsageError(f"--out {out}: the plot is a PNG; let its name end in .png")
    from pix2color.config.load import load_recipe
    from pix2color.config.schema import PretrainRecipe

    config, settings = options.pop("config"), options.pop("settings")
    recipe = load_recipe("pretrain", config, settings, as_settings(options))
    assert isinstance(recipe, PretrainRecipe)
    from pix2color.training.lr_finder import find_rate

    suggestions = find_rate(recipe, steps=steps, out=out).suggestions
    if as_json:
        click.echo(json.dumps(suggestions, indent=2))
        return
    for name, rate in suggestions.items():
        click.echo(f"{name:9}{rate:.1e}")
    click.echo(f"pix2color pretrain … --set optimizer.lr={suggestions['valley']:.1e}")


@click.command(cls=Command, example="pix2color overfit --data photos/ --images 20")
@with_options(*PHOTOS)
@click.option("--images", "limit", type=click.IntRange(1), default=20,
              help="Learn so many of the photos by heart.")  # fmt: skip
@with_options(*BUDGET, *RECIPE)
def overfit(**options: Any) -> None:
    """Check that a model can learn colour at all: train on a few photos until it knows them.

    The budget is 300 steps unless one is given. Exit code 1: it has not learnt them by heart.
    """
    from pix2color.training.overfit import overfit_recipe, verdict

    config, settings = options.pop("config"), options.pop("settings")
    recipe = overfit_recipe(config, settings, as_settings(options))
    from pix2color.training.run import train

    run = train(recipe)
    if os.environ.get("RANK", "0") != "0":
        return
    found = verdict(run)
    click.echo(f"{run}\n{found.told()}")
    if not found.learnt:
        sys.exit(Pix2colorError.exit_code)


@click.command(
    "pretrain-encoder",
    cls=Command,
    example="pix2color pretrain-encoder --data photos/ --epochs 5 --out encoder.safetensors",
)
@with_options(*PHOTOS, *VALIDATION, *BUDGET)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="The encoder (safetensors), for model.encoder_weights.")  # fmt: skip
@with_options(*RECIPE)
@_as_json
def pretrain_encoder(out: Path, as_json: bool, **options: Any) -> None:
    """Teach ResNet18 which folder a gray photo is from, as an encoder to begin with.

    The folder that holds a photo is its kind, so give one with a subfolder for each. Then:
    pix2color pretrain --set model.encoder_weights=FILE
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("pretrain-encoder: runs in one process; start it without torchrun")
    if out.suffix.lower() != ".safetensors" or out.is_dir():
        raise UsageError(f"--out {out}: let the file's name end in .safetensors")
    from pix2color.config.load import load_recipe
    from pix2color.config.schema import PretrainRecipe

    config, settings = options.pop("config"), options.pop("settings")
    recipe = load_recipe("pretrain", config, settings, as_settings(options))
    assert isinstance(recipe, PretrainRecipe)
    from pix2color.training.encoder_pretraining import pretrain_encoder as run

    found = run(recipe, out)
    if as_json:
        click.echo(json.dumps({"out": str(out), **dataclasses.asdict(found)}, indent=2))
        return
    click.echo(found.told(), err=True)
    click.echo(out)


@click.command(cls=Command, example="pix2color prepare photos/ more-photos/ --out prepared/")
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER…"
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The prepared folder; what it has already is not done again.",
)
@click.option(
    "--size",
    type=click.IntRange(32),
    default=288,
    metavar="PIXELS",
    help="Short side of the prepared pictures; smaller photos stay as they are.",
)
@click.option(
    "--shards",
    is_flag=True,
    help="Write WebDataset shards of JPEG files (a tenth of the size) instead of pixels.",
)
@click.option(
    "--min-side",
    type=click.IntRange(1),
    default=96,
    metavar="PIXELS",
    help="Leave out photos with a shorter side.",
)
@click.option(
    "--min-colorfulness",
    type=click.FloatRange(0),
    default=6.0,
    help="Leave out photos below this: they are gray, or nearly so.",
)
@click.option(
    "--licences",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Columns file and licence: what is to be written into the manifest.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    metavar="N",
    help="Processes.  [default: one for each core]",
)
def prepare(
    sources: tuple[Path, ...], out: Path, licences: Path | None, workers: int | None, **how: Any
) -> None:
    """Decode, check and reduce photos once, so that training reads them at memory speed.

    Broken, tiny, gray and nearly equal photos are left out; dropped.csv has the reasons. The
    folder is given to --data and --val like any other. Run it again to add what is new.
    """
    from pix2color.data.prepare import Preparation
    from pix2color.data.prepare import prepare as run

    summary = run(sources, out, Preparation(**how), licences=licences, workers=workers)
    click.echo(summary.describe(out), err=True)
    click.echo(out)


TOOLS = (recipes, prepare, doctor, runs, lr_find, overfit, pretrain_encoder)
