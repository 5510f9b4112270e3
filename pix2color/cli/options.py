"""What the commands have in common: help with an example, errors of one line, shared options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pix2color.errors import Pix2colorError, Stopped

Function = TypeVar("Function", bound=Callable[..., Any])


class Exemplary(click.Command):
    """Its help starts with an example."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = "\n  ".join(self.example.splitlines())
        formatter.write(f"Example:\n  {lines}\n\n")
        super().format_help(ctx, formatter)


class Command(Exemplary):
    """A command whose errors are one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Stopped as stopped:
            click.echo(stopped, err=True)
            ctx.exit(stopped.exit_code)
        except Pix2colorError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:  # a full disk, a folder that must not be written, …
            click.echo(f"error: {error.filename or self.name}: {error.strerror or error}", err=True)
            ctx.exit(Pix2colorError.exit_code)


class Group(Exemplary, click.Group):
    """The command of commands."""


MODEL = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="RUN_OR_FILE",
    help="A run folder or a model file.  [default: the model that ships with the package]",
)
PHOTOS = [
    click.option("--data", "train", type=click.Path(path_type=Path), multiple=True,
                 metavar="FOLDER", help="Colour photos, searched recursively; repeatable."),
]  # fmt: skip
VALIDATION = [
    click.option("--val", type=click.Path(path_type=Path), multiple=True, metavar="FOLDER",
                 help="Photos for validation; repeatable."),
    click.option("--val-fraction", type=float, metavar="SHARE",
                 help="Without --val: share of the photos kept for it.  [default: 0.1]"),
]  # fmt: skip
BUDGET = [
    click.option("--epochs", type=float, help="Budget: passes over the photos."),
    click.option("--max-steps", type=int, help="Budget: optimizer steps."),
    click.option("--max-minutes", type=float, help="Budget: minutes by the clock."),
]
RECIPE = [
    click.option("--batch-size", type=int,
                 help="Pictures in a batch of each process.  [default: 16]"),
    click.option("--crop", type=int, help="Training square, in pixels.  [default: 128]"),
    click.option("--workers", type=int, help="Processes that read photos.  [default: by need]"),
    click.option("--seed", type=int, help="Fixes every random choice.  [default: 0]"),
    click.option("--name", help="Name of the run.  [default: task and time]"),
    click.option("--runs-dir", type=click.Path(path_type=Path), metavar="FOLDER",
                 help="Where runs are kept.  [default: runs]"),
    click.option("--config", type=click.Path(path_type=Path), metavar="FILE",
                 help="Recipe in YAML, or the name of one that `pix2color recipes` lists."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                 help="One setting of the recipe, such as data.flip=false; repeatable."),
]  # fmt: skip


def with_options(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Decorator that gives a command these options, listed in this order."""

    def decorate(function: Function) -> Function:
        return functools.reduce(lambda f, option: option(f), reversed(options), function)

    return decorate


def as_settings(options: dict[str, Any]) -> dict[str, Any]:
    """The flags by the names that they have in a recipe."""
    data = ("train", "val", "val_fraction", "limit", "batch_size", "crop", "workers")
    budget = ("epochs", "max_steps", "max_minutes")
    keys = {name: f"data.{name}" for name in data} | {name: f"budget.{name}" for name in budget}
    keys["select"] = "selection.export"
    return {
        keys.get(name, name): list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value not in (None, ())
    }
