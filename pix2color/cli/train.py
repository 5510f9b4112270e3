"""The commands that train a network, or look for how to."""

from __future__ import annotations

import dataclasses
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pix2color.cli.options import (
    AS_JSON,
    BUDGET,
    COMPILE,
    DATA,
    INIT,
    PATH,
    RUN,
    SELECT,
    VALIDATION,
    Command,
    RecipeFlags,
    recipe_flags,
)
from pix2color.errors import Pix2colorError, UsageError
from pix2color.processes import is_main, require_single

# Nothing heavy is imported up here: `--help` must answer at once.
if TYPE_CHECKING:
    from pix2color.config.schema import PretrainRecipe

_TRAINING = (DATA, *VALIDATION, *BUDGET, *RUN, INIT, COMPILE)
_NOT_IN_THE_WAY = {"data.workers", "data.train", "data.val"}  # of going on with a run
_RESUME = click.option(
    "--resume",
    type=PATH,
    metavar="RUN",
    help="Go on with this run; only --workers and --open-tensorboard can be given with it.",
)
_OPEN_TENSORBOARD = click.option(
    "--open-tensorboard",
    is_flag=True,
    help="Start TensorBoard on the runs, for as long as the training lasts.",
)


@click.command(
    cls=Command,
    needs=("torch",),
    example="pix2color pretrain --data photos/ --val-fraction 0.2 --epochs 30",
)
@recipe_flags(*_TRAINING)
@_RESUME
@_OPEN_TENSORBOARD
def pretrain(flags: RecipeFlags, resume: Path | None, open_tensorboard: bool) -> None:
    """Train a generator to predict colours from grey (stage one).

    Its loss is the mean absolute error of ab (L1), unless the recipe has another.
    """
    _train_or_resume("pretrain", flags, resume, open_tensorboard)


@click.command(
    "train-gan",
    cls=Command,
    needs=("torch",),
    example="pix2color train-gan --init runs/mine --data photos/ --epochs 10",
)
@recipe_flags(SELECT, *_TRAINING)
@_RESUME
@_OPEN_TENSORBOARD
def train_gan(flags: RecipeFlags, resume: Path | None, open_tensorboard: bool) -> None:
    """Refine a pretrained generator against a discriminator (stage two).

    The discriminator, a PatchGAN, learns to tell real colours from the generator's, which so
    become more vivid.
    """
    _train_or_resume("train-gan", flags, resume, open_tensorboard)


@click.command(
    "train-doubt",
    cls=Command,
    needs=("torch",),
    example="pix2color train-doubt --init runs/mine-gan --data photos/ --max-steps 600",
)
@recipe_flags(*_TRAINING)
@_RESUME
@_OPEN_TENSORBOARD
def train_doubt(flags: RecipeFlags, resume: Path | None, open_tensorboard: bool) -> None:
    """Teach a trained generator to say where it guesses (last stage).

    A small head learns to predict how far each colour is from the truth. The colours stay as they
    are. pix2color colorize --doubt draws it.
    """
    require_single("train-doubt")
    _train_or_resume("train-doubt", flags, resume, open_tensorboard)


def _train_or_resume(
    task: str, flags: RecipeFlags, run: Path | None, open_tensorboard: bool
) -> None:
    if run is None:
        recipe = flags.load(task)
        from pix2color.training.run import train

        with tensorboard(recipe.runs_dir if open_tensorboard else None):
            folder = train(recipe)
    else:
        if flags.config or flags.settings or set(flags.overrides) - _NOT_IN_THE_WAY:
            raise UsageError(
                "--resume goes on with the run's own recipe; give only --workers, "
                "--open-tensorboard, and --data and --val of photos that have moved"
            )
        from pix2color.training.run import resume

        with tensorboard(run.absolute().parent if open_tensorboard else None):
            folder = resume(run, task=task, changes=flags.overrides)
    if is_main():
        click.echo(folder)


def tensorboard(runs: Path | None) -> AbstractContextManager[None]:
    """Return a context in which TensorBoard runs on a folder; in the main process alone.

    Args:
        runs: the folder; None for no TensorBoard.
    """
    if runs is None or not is_main():
        return nullcontext()
    from pix2color.training.tensorboard import opened

    return opened(runs)


@click.command(
    "lr-find",
    cls=Command,
    needs=("torch",),
    example="pix2color lr-find --data photos/ --config my-recipe.yaml",
)
@recipe_flags(DATA, *RUN)
@click.option(
    "--steps",
    type=click.IntRange(30),
    default=100,
    help="Let the mock training take so many steps.",
)
@click.option(
    "--out",
    type=PATH,
    metavar="FILE",
    default="lr-find.png",
    help="Write the plot to this file (PNG).",
)
@AS_JSON
def lr_find(flags: RecipeFlags, steps: int, out: Path, as_json: bool) -> None:
    """Find a learning rate for `pretrain` by a short mock training.

    The rate rises from step to step, and the network is thrown away.
    """
    require_single("lr-find")
    _check_file(out, ".png", "the plot is a PNG")
    recipe = _pretrain_recipe(flags)
    from pix2color.training.lr_finder import find_rate

    suggestions = find_rate(recipe, steps=steps, out=out).suggestions
    if as_json:
        click.echo(json.dumps(suggestions, indent=2))
        return
    for name, rate in suggestions.items():
        click.echo(f"{name:9}{rate:.1e}")
    click.echo(f"pix2color pretrain … --set optimizer.lr={suggestions['valley']:.1e}")


@click.command(
    cls=Command, needs=("torch",), example="pix2color overfit --data photos/ --images 20"
)
@recipe_flags(DATA, *BUDGET, *RUN)
@click.option(
    "--images", type=click.IntRange(1), default=20, help="Learn so many of the photos by heart."
)
def overfit(flags: RecipeFlags, images: int) -> None:
    """Check that a network can learn a few photos by heart.

    If it cannot, it will not learn from more. The budget is 300 steps unless one is given. Exit
    code 1: it has not learnt them.
    """
    from pix2color.training.overfit import overfit_recipe, verdict

    overrides = {**flags.overrides, "data.limit": images}
    recipe = overfit_recipe(flags.config, flags.settings, overrides)
    from pix2color.training.run import train

    run = train(recipe)
    if not is_main():
        return
    found = verdict(run)
    click.echo(f"{run}\n{found.summary()}")
    if not found.learnt:
        sys.exit(Pix2colorError.exit_code)


@click.command(
    "pretrain-encoder",
    cls=Command,
    needs=("torch",),
    example="pix2color pretrain-encoder --data photos/ --epochs 5 --out encoder.safetensors",
)
@recipe_flags(DATA, *VALIDATION, *BUDGET, *RUN)
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="FILE",
    help="Write the encoder to this file (safetensors), for model.encoder_weights.",
)
@click.option(
    "--teacher",
    metavar="NAME",
    help="Learn the features of this encoder of timm, trained on ImageNet, instead of folders; "
    "such as tf_efficientnet_lite0.",
)
@AS_JSON
def pretrain_encoder(flags: RecipeFlags, out: Path, teacher: str | None, as_json: bool) -> None:
    """Teach an encoder to tell which folder a grey photo is from.

    The folder that holds a photo is its kind, so give one with a subfolder for each. With --teacher
    it learns to see photos as a better encoder does, and needs no folders. The encoder, a ResNet18,
    is then a start for a generator: pix2color pretrain --set model.encoder_weights=FILE
    """
    require_single("pretrain-encoder")
    _check_file(out, ".safetensors", "an encoder is a safetensors file")
    recipe = _pretrain_recipe(flags)
    from pix2color.training.encoder_pretraining import distil_encoder
    from pix2color.training.encoder_pretraining import pretrain_encoder as run

    found = distil_encoder(recipe, out, teacher) if teacher else run(recipe, out)
    if as_json:
        click.echo(json.dumps({"out": str(out), **dataclasses.asdict(found)}, indent=2))
        return
    click.echo(found.summary(), err=True)
    click.echo(out)


def _pretrain_recipe(flags: RecipeFlags) -> PretrainRecipe:
    from pix2color.config.schema import PretrainRecipe

    recipe = flags.load("pretrain")
    assert isinstance(recipe, PretrainRecipe)
    return recipe


def _check_file(out: Path, suffix: str, reason: str) -> None:
    """Check that an output's name ends as its kind of file does."""
    if out.suffix.lower() != suffix or out.is_dir():
        raise UsageError(f"--out {out}: {reason}; let its name end in {suffix}")
