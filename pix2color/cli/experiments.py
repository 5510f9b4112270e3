"""The commands that compare systems: compare, cross-validate, sweep, judge."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pix2color.cli.options import (
    BUDGET,
    BUDGET_EACH,
    DATA,
    INIT,
    PATH,
    PREDICTIONS,
    REQUIRED_CONFIG,
    VALIDATION,
    Command,
    RecipeFlags,
    given_command,
    recipe_flags,
)
from pix2color.errors import Pix2colorError, UsageError
from pix2color.files import starting_model
from pix2color.processes import require_single

if TYPE_CHECKING:
    from pix2color.data.sources import Photo
    from pix2color.experiments.results import Comparison

_DATA = replace(DATA, required=True)
_SHARED = (_DATA, *VALIDATION, *BUDGET_EACH)
# Systems are compared on the same photos, whatever their own recipes say.
_SAME_PHOTOS = {"data.val": [], "data.val_fraction": 0.1}
_UNSEEN = replace(
    INIT, help="Start from this generator, one that has not seen these photos (see pretrain)."
)
_OUT = click.option(
    "--out",
    default=".",
    type=PATH,
    metavar="DIR",
    help="Keep runs/, evaluations/ and report/ here; what is done there is not done again.",
)
_SAMPLES = click.option(
    "--samples", type=click.IntRange(1), default=12, help="Show so many photos in the report."
)


@click.command(
    cls=Command,
    needs=("torch",),
    example="""\
pix2color compare l1.yaml gan.yaml --data photos/ --minutes-each 20 --out comparison
pix2color compare configs/baselines/*.yaml --data train/ --val val/ --steps-each 500 --out all""",
)
@click.argument("recipes", nargs=-1, required=True, type=PATH, metavar="RECIPE.yaml…")
@recipe_flags(*_SHARED, config=None)
@click.option(
    "--init",
    type=starting_model,
    metavar="RUN_OR_FILE",
    help="Start recipes of the second stage from this generator, if their first stage is "
    "not compared, too: x-gan starts from x-pretrain or x-l1.",
)
@PREDICTIONS
@click.option(
    "--perceptual",
    metavar="local|FILE",
    help="Measure LPIPS, FID and KID, too, as `pix2color evaluate` does.",
)
@_SAMPLES
@_OUT
def compare(
    recipes: tuple[Path, ...],
    flags: RecipeFlags,
    init: Path | None,
    predictions: tuple[str, ...],
    perceptual: str | None,
    samples: int,
    out: Path,
) -> None:
    """Train several recipes alike and report which is best.

    Each has the same budget, and all are evaluated on the same photos, other programs' pictures of
    them as well. Exit code 1: a recipe failed; the report names it and has the others.
    """
    require_single("compare")
    from pix2color.evaluation.predictions import folders_of_predictions
    from pix2color.evaluation.systems import GRAY
    from pix2color.experiments.compare import compare as run
    from pix2color.experiments.comparison_plan import Plan

    folders = folders_of_predictions(predictions, taken=(GRAY, *(path.stem for path in recipes)))
    settings = _same_for_all(flags)
    plan = Plan(recipes, flags.settings, settings, init, folders, perceptual, out)
    found, photos = run(plan, given_command())
    _show(found, photos, out, samples)


@click.command(
    "cross-validate",
    cls=Command,
    needs=("torch",),
    example="pix2color cross-validate --config recipe.yaml --data photos/ --folds 5 --out folds",
)
@recipe_flags(_DATA, *BUDGET, _UNSEEN, config=REQUIRED_CONFIG)
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=5,
    help="Part the photos so often; each part is left out of one training.",
)
@_OUT
def cross_validate(flags: RecipeFlags, folds: int, out: Path) -> None:
    """Train a recipe once for each fold of the photos.

    Prints mean and spread of every measure. Each fold has its share of every folder, and a photo's
    fold hangs on its content alone.
    """
    require_single("cross-validate")
    assert flags.config is not None
    from pix2color.experiments import cross_validation

    found = cross_validation.cross_validate(
        flags.config, flags.settings, flags.overrides, folds=folds, out=out, command=given_command()
    )
    cross_validation.write(found, out / "report")
    click.echo(cross_validation.markdown(found), nl=False)


@click.command(
    cls=Command,
    needs=("torch", "optuna"),
    example="""\
pix2color sweep --over optimizer.lr=1e-4,1e-3 --over seed=1,2 --data photos/ --steps-each 500
pix2color sweep --over optimizer.lr=1e-5..1e-2 --trials 20 --data photos/ --minutes-each 5""",
)
@recipe_flags(*_SHARED, INIT)
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="KEY=A,B,…",
    help="Try these values of a setting, or values from LOW..HIGH; repeatable.",
)
@click.option(
    "--trials",
    type=click.IntRange(1),
    help="Search by TPE with so many trials.  [default: every combination once]",
)
@click.option("--measure", default="delta_e", help="Search for the best value of this measure.")
@click.option(
    "--storage",
    metavar="URL",
    help="Share this database among several workers.  [default: SQLite in --out]",
)
@_SAMPLES
@_OUT
def sweep(
    flags: RecipeFlags,
    over: tuple[str, ...],
    trials: int | None,
    measure: str,
    storage: str | None,
    samples: int,
    out: Path,
) -> None:
    """Try out values of settings and report the best.

    Each trial is trained and evaluated. Optuna chooses and remembers: every combination of the
    values, or as many trials as wanted.
    """
    require_single("sweep")
    from pix2color.experiments import sweep as search
    from pix2color.experiments.axes import axes
    from pix2color.experiments.sweep_plan import Sweep

    plan = Sweep(
        flags.config,
        flags.settings,
        _same_for_all(flags),
        axes(over),
        measure,
        trials,
        storage,
        out,
    )
    found, photos = search.sweep(plan, given_command())
    _show(found, photos, out, samples)


@click.command(
    cls=Command,
    needs=("torch",),
    example="""\
pix2color judge runs/l1 runs/gan --data photos/ --out judge.html
pix2color judge --score answers-*.json""",
)
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="RUN…")
@click.option(
    "--data",
    "folders",
    type=PATH,
    multiple=True,
    metavar="FOLDER",
    help="Show the colour photos in this folder and all below it; repeatable.",
)
@click.option(
    "--trials",
    type=click.IntRange(2),
    default=40,
    help="Show a viewer so many photos; half of them as they are.",
)
@click.option(
    "--out",
    type=PATH,
    default="judge.html",
    metavar="FILE",
    help="Write the page to this file (HTML).",
)
@click.option("--score", is_flag=True, help="Add up saved answers, named instead of runs.")
@click.option("--json", "as_json", is_flag=True, help="With --score, print the result as JSON.")
def judge(
    paths: tuple[Path, ...],
    folders: tuple[Path, ...],
    trials: int,
    out: Path,
    score: bool,
    as_json: bool,
) -> None:
    """Test on people which colours they take for real.

    Writes a page on which they judge photos, or adds up the answers that they saved.
    """
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


def _same_for_all(flags: RecipeFlags) -> dict[str, Any]:
    """Return photos, split and budget as overrides of every recipe.

    Raises:
        UsageError: there is not exactly one budget.
    """
    if sum(flag.key in flags.overrides for flag in BUDGET_EACH) != 1:
        raise UsageError("give one of --minutes-each, --steps-each and --epochs-each")
    return {**_SAME_PHOTOS, **flags.overrides}


def _show(found: Comparison, photos: list[Photo], out: Path, samples: int) -> None:
    """Write the report and print its table; exit code 1 if something has failed."""
    from pix2color.experiments.report import make_report
    from pix2color.experiments.results import markdown

    page = make_report(out, found, photos, samples)
    click.echo(markdown(found), nl=False)
    click.echo(page, err=True)
    if found.failed:
        sys.exit(Pix2colorError.exit_code)
