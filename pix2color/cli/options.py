"""The options, help and errors that all commands share.

A setting's way from the command line: a ``Flag`` says which setting of a recipe it is,
``recipe_flags`` hands the command what was given as one ``RecipeFlags``, and ``RecipeFlags.load``
makes the recipe of it (``pix2color.config.load``).
"""

from __future__ import annotations

import functools
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pix2color.errors import Pix2colorError, Stopped
from pix2color.extras import require
from pix2color.files import coloring_model, starting_model
from pix2color.progress import printable

# Nothing heavy is imported up here: `--help` must answer at once.
if TYPE_CHECKING:
    from pix2color.config.schema import AnyRecipe

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

PATH = click.Path(path_type=Path, readable=False)  # or click refuses all for one


class Exemplary(click.Command):
    """A command whose help starts with an example."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = "\n  ".join(self.example.splitlines())
        formatter.write(f"Example:\n  {lines}\n\n")
        super().format_help(ctx, formatter)


class Command(Exemplary):
    """A command whose errors are one line, and that looks first for the packages it needs."""

    def __init__(self, *args: Any, needs: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.needs = needs

    def invoke(self, ctx: click.Context) -> Any:
        try:
            for module in self.needs:
                require(module, self.name or "")
            return super().invoke(ctx)
        except Stopped as stopped:
            click.echo(stopped, err=True)
            ctx.exit(stopped.exit_code)
        except Pix2colorError as error:
            click.echo(printable(f"error: {error}"), err=True)
            ctx.exit(error.exit_code)
        except OSError as error:  # a full disk, a folder that must not be written, …
            reason = f"{error.filename or self.name}: {error.strerror or error}"
            click.echo(printable(f"error: {reason}"), err=True)
            ctx.exit(Pix2colorError.exit_code)


class Group(Exemplary, click.Group):
    """The command of commands; its help lists them under headings, in the order of adding."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections: dict[str, tuple[click.Command, ...]] = {}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a path for what it is: ``pix2color PATH…`` colours photos."""
        path = Path(args[0])
        looks_like_one = path.exists() or path.suffix or any(c in args[0] for c in "/\\")
        if self.get_command(ctx, args[0]) is None and looks_like_one:
            args = ["colorize", *args]
        return super().resolve_command(ctx, args)

    def add_section(self, heading: str, *commands: click.Command) -> None:
        """Add commands under a heading."""
        self.sections[heading] = commands
        for command in commands:
            self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{command.name:{width}}", command.get_short_help_str(limit=200))
                        for command in commands
                    ]
                )


def _model(kind: Callable[[str], Path]) -> Decorator:
    return click.option(
        "--model",
        type=kind,
        metavar="RUN_OR_FILE",
        default="default",
        show_default=False,
        help="A run folder, a model file, or the name of a model in the package.  [default: the "
        "best of these]",
    )


MODEL, STARTING_MODEL = _model(coloring_model), _model(starting_model)
PREDICTIONS = click.option(
    "--predictions",
    multiple=True,
    metavar="[NAME=]FOLDER",
    help="Measure beside it what another program has made of the same photos; repeatable. Its "
    "pictures are known by the photos' names, and may have another format or size.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@dataclass(frozen=True)
class Flag:
    """A command-line flag that sets one setting of a recipe.

    Attributes:
        words: the flag, such as ``--batch-size``.
        key: dotted key of the setting, such as ``data.batch_size``.
        type: click's or Python's type of the value; bool makes a switch.
        help: what the flag does, as a sentence.
        metavar: how the help calls the value, if not by its type.
        multiple: the flag can be repeated, and the setting is a list.
        required: the command does not run without it.
    """

    words: str
    key: str
    type: Any
    help: str
    metavar: str | None = None
    multiple: bool = False
    required: bool = False

    @property
    def parameter(self) -> str:
        """The name that click gives to the flag's value."""
        return self.words.removeprefix("--").replace("-", "_")

    def option(self) -> Decorator:
        """Return click's decorator; the value is None, or an empty tuple, if not given."""
        if self.type is bool:
            return click.option(self.words, is_flag=True, default=None, help=self.help)
        return click.option(
            self.words,
            type=self.type,
            metavar=self.metavar,
            multiple=self.multiple,
            required=self.required,
            help=self.help,
        )


DATA = Flag("--data", "data.train", PATH,
            "Train on the colour photos in this folder and all below it; repeatable.",
            metavar="FOLDER", multiple=True)  # fmt: skip
VALIDATION = (
    Flag("--val", "data.val", PATH, "Validate on the photos in this folder; repeatable.",
         metavar="FOLDER", multiple=True),
    Flag("--val-fraction", "data.val_fraction", float,
         "Without --val, keep this share of the photos for validation.  [default: 0.1]",
         metavar="SHARE"),
)  # fmt: skip
BUDGET = (
    Flag("--epochs", "budget.epochs", float, "Stop after so many passes over the photos."),
    Flag("--max-steps", "budget.max_steps", int, "Stop after so many optimizer steps."),
    Flag("--max-minutes", "budget.max_minutes", float, "Stop after so many minutes."),
)
BUDGET_EACH = (
    Flag("--minutes-each", "budget.max_minutes", float, "Train each for so many minutes.",
         metavar="M"),
    Flag("--steps-each", "budget.max_steps", int, "Train each for so many steps.", metavar="N"),
    Flag("--epochs-each", "budget.epochs", float,
         "Train each for so many passes over the photos.", metavar="E"),
)  # fmt: skip
RUN = (
    Flag("--batch-size", "data.batch_size", int,
         "Put so many pictures into each process's batch.  [default: 16]"),
    Flag("--crop", "data.crop", int,
         "Train on squares of so many pixels a side.  [default: 128]"),
    Flag("--workers", "data.workers", int,
         "Read the photos in so many processes.  [default: by need]"),
    Flag("--seed", "seed", int, "Fix every random choice by this number.  [default: 0]"),
    Flag("--name", "name", str, "Call the run so.  [default: task and time]"),
    Flag("--runs-dir", "runs_dir", PATH, "Keep the runs in this folder.  [default: runs]",
         metavar="FOLDER"),
)  # fmt: skip
INIT = Flag("--init", "init", starting_model,
            "Start from the generator of a run or a model file, or from the model that ships by "
            "the word `default`.", metavar="RUN_OR_FILE")  # fmt: skip
COMPILE = Flag("--compile", "compile", bool,
               "Train with torch.compile, which starts slowly and then steps faster, above all on "
               "GPUs.")  # fmt: skip
SELECT = Flag("--select", "selection.export", bool,
              "Export the best validation instead of the last: the lowest ΔE00 of those whose "
              "colourfulness ratio is in selection.band.")  # fmt: skip

CONFIG = click.option("--config", type=PATH, metavar="FILE",
                      help="Take the settings from this recipe: a YAML file, or the name of one "
                      "that `pix2color recipes` lists.")  # fmt: skip
REQUIRED_CONFIG = click.option("--config", type=PATH, metavar="FILE", required=True,
                               help="Train this recipe (a YAML file or a name).")  # fmt: skip
_SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one setting of the recipe, such as data.flip=false; repeatable.",
)


@dataclass(frozen=True)
class RecipeFlags:
    """Everything on a command line that a recipe is made of.

    Attributes:
        config: of ``--config``: a YAML file or the name of a shipped recipe; None for the defaults.
        settings: of ``--set``: each ``key=value``.
        overrides: dotted key → value of every flag that was given; these win.
    """

    config: Path | None = None
    settings: tuple[str, ...] = ()
    overrides: dict[str, Any] = field(default_factory=dict)

    def load(self, task: str) -> AnyRecipe:
        """Return the checked recipe of a task, ``pretrain`` or ``train-gan``.

        Raises:
            MissingPathError, ConfigError: see ``pix2color.config.load.load_recipe``.
        """
        from pix2color.config.load import load_recipe

        return load_recipe(task, self.config, self.settings, self.overrides)


def recipe_flags(*flags: Flag, config: Decorator | None = CONFIG) -> Decorator:
    """Return a decorator that gives a command these flags, ``--set``, and ``--config`` if any.

    The command gets them as one parameter: ``flags``, a ``RecipeFlags``.
    """
    names = {flag.parameter for flag in flags} | {"config", "settings"}

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            overrides = {
                flag.key: list(value) if flag.multiple else value
                for flag in flags
                if (value := given[flag.parameter]) not in (None, ())
            }
            others = {name: value for name, value in given.items() if name not in names}
            chosen = RecipeFlags(given.get("config"), given["settings"], overrides)
            return function(flags=chosen, **others)

        options = [*(flag.option() for flag in flags), *([config] if config else []), _SET]
        return functools.reduce(lambda made, option: option(made), reversed(options), command)  # type: ignore[return-value]

    return decorate


def with_options(*options: Decorator) -> Decorator:
    """Return a decorator that gives a command these options, listed in this order."""

    def decorate(function: Function) -> Function:
        return functools.reduce(lambda made, option: option(made), reversed(options), function)

    return decorate


def given_command() -> str:
    """Return the command line as it was given, without a database's password, for the report."""
    words = (re.sub(r"(://[^:/@]*:)[^@]*@", r"\1…@", word) for word in sys.argv[1:])
    return shlex.join(["pix2color", *words])
