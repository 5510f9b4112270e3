"""The commands that compare systems: compare, cross-validate, sweep, judge."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pix2color.cli.options import BUDGET, Command, as_settings, with_options
from pix2color.errors import Pix2colorError, UsageError

if TYPE_CHECKING:
    from pix2color.data.sources import Photo
    from pix2color.experiments.results import Comparison

_FOLDER = click.Path(path_type=Path)
_PHOTOS = click.option(
    "--data", "train", type=_FOLDER, multiple=True, required=True, metavar="FOLDER",
    help="Colour photos, searched recursively; repeatable.",
)  # fmt: skip
_BUDGET = [
    click.option("--minutes-each", type=float, metavar="M", help="Train each for so many minutes."),
    click.option("--steps-each", type=int, metavar="N", help="Train each for so many steps."),
    click.option("--epochs-each", type=float, metavar="E",
                 help="Train each for so many passes over the photos."),
]  # fmt: skip
_SETTINGS = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="One setting of the recipe, such as data.crop=64; repeatable.",
)  # fmt: skip
_OUT = click.option(
    "--out", default=".", type=_FOLDER, metavar="DIR",
    help="For runs/, evaluations/ and report/; what is done there is not done again.",
)  # fmt: skip


@click.command(
    cls=Command,
    example="""\
pix2color compare l1.yaml gan.yaml --data photos/ --minutes-each 20 --out comparison
pix2color compare configs/baselines/*.yaml --data train/ --val val/ --steps-each 500 --out all""",
)
@click.argument("recipes", nargs=-1, required=True, type=_FOLDER, metavar="RECIPE.yaml…")
@_PHOTOS
@click.option("--val", type=_FOLDER, multiple=True, metavar="FOLDER",
              help="Photos to validate and evaluate on; repeatable.")  # fmt: skip
@click.option("--val-fraction", type=float, metavar="SHARE", default=0.1,
              help="Without --val: share of the photos kept for it.")  # fmt: skip
@with_options(*_BUDGET)
@click.option("--init", type=_FOLDER, metavar="RUN_OR_FILE",
              help="What recipes that do not begin from scratch start from, if their first stage "
              "is not compared, too: x-gan starts from x-pretrain or x-l1.")  # fmt: skip
@click.option("--perceptual", metavar="local|FILE",
              help="LPIPS, FID and KID, too; as for evaluate.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=12, help="Photos shown in the report.")
@_SETTINGS
@_OUT
def compare(
    recipes: tuple[Path, ...],
    settings: tuple[str, ...],
    samples: int,
    init: Path | None,
    perceptual: str | None,
    out: Path,
    **flags: Any,
) -> None:
    """Train recipes with one budget each, evaluate them on the same photos, write a report.

    Exit code 1: a recipe failed; the report names it and has the others.
    """
    _check_alone("compare")
    from pix2color.experiments.compare import Plan
    from pix2color.experiments.compare import compare as run

    plan = Plan(recipes, settings, _flags(flags), init, perceptual, out)
    found, photos = run(plan, _command())
    _show(found, photos, out, samples)


@click.command(
    "cross-validate",
    cls=Command,
    example="pix2color cross-validate --config recipe.yaml --data photos/ --folds 5 --out folds",
)
@click.option("--config", required=True, type=_FOLDER, metavar="FILE", help="Recipe in YAML.")
@_PHOTOS
@click.option("--folds", type=click.IntRange(2), default=5,
              help="Parts of the photos; each is left out of one training.")  # fmt: skip
@with_options(*BUDGET)
@click.option("--init", type=_FOLDER, metavar="RUN_OR_FILE",
              help="Start from its generator; one that has not seen these photos.")  # fmt: skip
@_SETTINGS
@_OUT
def cross_validate(
    config: Path, folds: int, settings: tuple[str, ...], out: Path, **options: Any
) -> None:
    """Train a recipe once for each fold of the photos; mean and spread of every measure.

    Each fold has its share of every folder, and a photo's fold hangs on its content alone.
    """
    _check_alone("cross-validate")
    from pix2color.experiments import cross_validation

    found = cross_validation.cross_validate(
        config, settings, as_settings(options), folds=folds, out=out, command=_command()
    )
    cross_validation.write(found, out / "report")
    click.echo(cross_validation.markdown(found), nl=False)


@click.command(
    cls=Command,
    example="""\
pix2color sweep --over optimizer.lr=1e-4,1e-3 --over film.share=0,0.4 --data photos --steps-each 500
pix2color sweep --over optimizer.lr=1e-5..1e-2 --trials 20 --data photos/ --minutes-each 5""",
)
@click.option("--config", type=_FOLDER, metavar="FILE",
              help="Recipe in YAML.  [default: that of pretrain]")  # fmt: skip
@click.option("--over", multiple=True, required=True, metavar="KEY=A,B,…",
              help="A setting and its values, or LOW..HIGH; repeatable.")  # fmt: skip
@click.option("--trials", type=click.IntRange(1),
              help="Search by TPE with so many.  [default: every combination once]")  # fmt: skip
@click.option("--measure", default="delta_e", help="Of the evaluation: what is to get better.")
@click.option("--storage", metavar="URL",
              help="Database that several workers share.  [default: SQLite in --out]")  # fmt: skip
@_PHOTOS
@click.option("--val", type=_FOLDER, multiple=True, metavar="FOLDER",
              help="Photos to validate and evaluate on; repeatable.")  # fmt: skip
@click.option("--val-fraction", type=float, metavar="SHARE", default=0.1,
              help="Without --val: share of the photos kept for it.")  # fmt: skip
@with_options(*_BUDGET)
@click.option("--init", type=_FOLDER, metavar="RUN_OR_FILE",
              help="Start from the generator of a run or a model file.")  # fmt: skip
@click.option("--samples", type=click.IntRange(1), default=12, help="Photos shown in the report.")
@_SETTINGS
@_OUT
def sweep(
    config: Path | None,
    over: tuple[str, ...],
    samples: int,
    settings: tuple[str, ...],
    out: Path,
    **options: Any,
) -> None:
    """Try out settings: train and evaluate once for each, write a report.

    Optuna chooses and remembers: every combination of the values, or as many trials as wanted.
    """
    _check_alone("sweep")
    from pix2color.experiments import sweep as search
    from pix2color.experiments.axes import axes

    flags = {**_flags(options), "init": options["init"]}
    chosen = (options["measure"], options["trials"], options["storage"])
    over_axes = axes(over)
    plan = search.Sweep(config, settings, flags, over_axes, *chosen, out)
    found, photos = search.sweep(plan, _command())
    _show(found, photos, out, samples)


@click.command(
    cls=Command,
    example="""\
pix2color judge runs/l1 runs/gan --data photos/ --out judge.html
pix2color judge --score answers-*.json""",
)
@click.argument("paths", nargs=-1, required=True, type=_FOLDER, metavar="RUN…")
@click.option("--data", "folders", type=_FOLDER, multiple=True, metavar="FOLDER",
              help="Colour photos, searched recursively; repeatable.")  # fmt: skip
@click.option("--trials", type=click.IntRange(2), default=40,
              help="Photos that a viewer is shown; half of them as they are.")  # fmt: skip
@click.option("--out", type=_FOLDER, default="judge.html", metavar="FILE", help="The page.")
@click.option("--score", is_flag=True, help="Add up saved answers, named instead of runs.")
@click.option("--json", "as_json", is_flag=True, help="With --score: print the same as JSON.")
def judge(
    paths: tuple[Path, ...],
    folders: tuple[Path, ...],
    trials: int,
    out: Path,
    score: bool,
    as_json: bool,
) -> None:
    """Make a page on which people say which photos are real, or add up what they said."""
    from pix2color.evaluation import human_test as test

    if score:
        rates = test.score(list(paths))
        click.echo(test.as_json(rates) if as_json else test.table(rates))
        return
    if not folders:
        raise UsageError("--data: name a folder of colour photos for the page")
    if out.suffix.lower() != ".html" or out.is_dir():
        raise UsageError(f"--out {out}: the page is HTML; let its name end in .html")
    test.write_page(list(paths), list(folders), out, trials=trials)
    click.echo(out)


def _flags(options: dict[str, Any]) -> dict[str, Any]:
    """Photos, split and budget by their names in a recipe."""
    budget = {
        "budget.max_minutes": options["minutes_each"],
        "budget.max_steps": options["steps_each"],
        "budget.epochs": options["epochs_each"],
    }
    given = {name: value for name, value in budget.items() if value is not None}
    if len(given) != 1:
        raise UsageError("give one of --minutes-each, --steps-each and --epochs-each")
    data = {f"data.{name}": options[name] for name in ("train", "val", "val_fraction")}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in data.items()} | given


def _command() -> str:
    """As it was given, to be told beside what it made; without a database's password."""
    words = (re.sub(r"(://[^:/@]*:)[^@]*@", r"\1…@", word) for word in sys.argv[1:])
    return shlex.join(["pix2color", *words])


def _show(found: Comparison, photos: list[Photo], out: Path, samples: int) -> None:
    """Write the report and print its table; exit code 1 if something has failed."""
    from pix2color.experiments.compare import report
    from pix2color.experiments.results import markdown

    page = report(out, found, photos, samples)
    click.echo(markdown(found), nl=False)
    click.echo(page, err=True)
    if found.failed:
        sys.exit(Pix2colorError.exit_code)


def _check_alone(command: str) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(f"{command}: runs in one process; start it without torchrun")


EXPERIMENTS = (compare, cross_validate, sweep, judge)
