"""Recipes trained with the same budget and evaluated on the same photos."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pix2color import __version__
from pix2color.config.load import load_recipe
from pix2color.config.schema import GanRecipe, PretrainRecipe
from pix2color.data.batches import EpochOrder
from pix2color.data.sources import Photo
from pix2color.errors import DataError, MissingPathError, Stopped, UsageError
from pix2color.evaluation.perceptual import Perceptual
from pix2color.evaluation.protocol import (
    GRAY,
    MODEL,
    Evaluation,
    evaluate_photos,
    protocol_pictures,
)
from pix2color.evaluation.scores import Score
from pix2color.evaluation.tables import as_dict
from pix2color.experiments.costs import read_costs
from pix2color.experiments.html_report import PAGE, worst_photos, write_report
from pix2color.experiments.results import Comparison, System
from pix2color.files import write_bytes
from pix2color.html.gallery import check_place
from pix2color.inference.colorizer import Colorizer
from pix2color.models.model_file import model_hash
from pix2color.progress import say
from pix2color.training.run import resume, train
from pix2color.training.run_folder import CONFIG_IN_RUN, FINISHED, read_run
from pix2color.training.setup import resolve_budget, select_photos, with_absolute_paths
from pix2color.training.tasks import TASKS
from pix2color.training.warmup import shorten_warmups

AnyRecipe = PretrainRecipe | GanRecipe
_BASES = ("pretrain", "l1")
_WORST = 8  # pictures of worst cases, shared out among the systems


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes:
        recipes: YAML files; a system is called as its file.
        settings: ``key=value``, for all of them.
        flags: dotted key to value, for all of them: photos, split and budget.
        init: what a recipe that does not begin from scratch starts from, if no recipe beside it is
            its first stage.
        perceptual: what measures of trained networks look through, if wanted; see ``Perceptual``.
        out: folder for runs, evaluations and report.
    """

    recipes: tuple[Path, ...]
    settings: tuple[str, ...]
    flags: dict[str, Any]
    init: Path | None
    perceptual: str | None
    out: Path


def compare(plan: Plan, command: str = "") -> tuple[Comparison, list[Photo]]:
    """Train what is not trained yet, evaluate what is not evaluated yet.

    A recipe that fails is told, and the rest goes on.

    Returns:
        what was found, and the photos that were evaluated.

    Raises:
        UsageError: a recipe or setting is wrong, or there is no place for the report; nothing has
            been trained then.
        DataError: no recipe could be trained and evaluated.
        Stopped: by a signal; the same call goes on.
    """
    check_place(report_page(plan.out))
    recipes = _recipes(plan)
    perceptual = Perceptual(plan.perceptual) if plan.perceptual else None
    first = next(iter(recipes.values()))
    photos = select_photos(first)[1]
    if not photos:
        raise UsageError("no photo is left to evaluate on; give --val, or a larger --val-fraction")
    systems: list[System] = []
    failed: dict[str, str] = {}
    evaluation = None
    for number, (name, recipe) in enumerate(recipes.items(), start=1):
        say(f"[{number}/{len(recipes)}] {name}")
        try:
            if recipe.init is not None and recipe.init.name in failed:
                raise DataError(f"its first stage, {recipe.init.name}, has failed")
            system, evaluation = train_and_evaluate(recipe, photos, plan.out, perceptual)
            systems.append(system)
        except Stopped:
            raise
        except Exception as error:  # whatever it is, the others go on
            failed[name] = str(error).partition("\n")[0]
            say(f"{name} failed: {failed[name]}")
    if evaluation is None or not systems:
        raise DataError("no recipe could be trained and evaluated; " + "; ".join(failed.values()))
    order = [path.stem for path in plan.recipes]
    return Comparison(
        systems=sorted(systems, key=lambda system: order.index(system.name)),
        gray=evaluation.rows[GRAY],
        photos=evaluation.photos,
        left_out=evaluation.left_out,
        budget=budget_in_words(first),
        failed=failed,
        command=command,
    ), photos


def train_and_evaluate(
    recipe: AnyRecipe, photos: list[Photo], out: Path, perceptual: Perceptual | None = None
) -> tuple[System, Evaluation]:
    """A recipe trained and evaluated; what is done in ``out`` is kept.

    Raises:
        Pix2colorError: it cannot be.
        Stopped: by a signal; the same call goes on.
    """
    with resumable():
        run = train_or_reuse(recipe)
        evaluation = evaluate_or_reuse(run, photos, out / "evaluations", perceptual)
    scores, start = evaluation.rows[MODEL], _started_from(recipe, out)
    return System(run.name, scores, evaluation.pictures, read_costs(run), start), evaluation


def report_page(out: Path) -> Path:
    """The page of the report."""
    return out / "report" / PAGE


def report(out: Path, found: Comparison, photos: list[Photo], samples: int) -> Path:
    """Write ``out/report/``, with so many photos, and each system's worst cases.

    Returns:
        its page.
    """
    worst = worst_photos(found.systems, max(1, _WORST // len(found.systems)))
    others = [p["photo"] for p in found.systems[0].photos if p["photo"] not in worst]
    places = np.linspace(0, len(others) - 1, min(samples, len(others))).round().astype(int)
    wanted = {*worst, *(others[place] for place in places)}
    chosen = [photo for photo in photos if str(photo.path) in wanted]
    pictures = {
        system.name: protocol_pictures(Colorizer.load(out / "runs" / system.name), chosen)
        for system in found.systems
    }
    page = report_page(out)
    write_report(found, pictures, worst, page.parent)
    return page


@contextmanager
def resumable() -> Iterator[None]:
    """A stop is told as one of the whole, which the same command goes on with."""
    try:
        yield
    except Stopped as stopped:
        raise Stopped(
            "stopped, all is saved; the same command goes on", stopped.exit_code
        ) from None


def train_or_reuse(recipe: AnyRecipe) -> Path:
    """The run of a recipe with a name: kept if it is finished, gone on with if it was begun.

    Raises:
        UsageError: it is there, but was trained by other settings.
        Pix2colorError: it cannot be trained.
    """
    assert recipe.name is not None
    folder = recipe.runs_dir / recipe.name
    recipe = _with_room(recipe)
    if recipe.init is not None:
        recipe = recipe.model_copy(update={"init_hash": model_hash(recipe.init)})
    _check_same(recipe, folder)
    if not (folder / CONFIG_IN_RUN).is_file():
        return train(recipe)
    run = read_run(folder)
    if run.state == FINISHED:
        say(f"{folder}: is trained already")
        return folder
    if run.checkpoint is None:  # stopped before anything was worth keeping
        shutil.rmtree(folder)
        return train(recipe)
    return resume(folder)


def evaluate_or_reuse(
    run: Path, photos: list[Photo], folder: Path, perceptual: Perceptual | None = None
) -> Evaluation:
    """The run's model by the protocol; done once for each model, photos, measures and version.

    Raises:
        DataError: no photo has colour.
    """
    measures = f"{perceptual.features} {perceptual.measures}" if perceptual else ""
    digest = hashlib.sha256(f"{__version__} {measures}".encode())
    for photo in photos:
        digest.update(os.fsencode(photo.path) + str(photo.share).encode())
    folder = folder / digest.hexdigest()[:16]
    path = folder / f"{run.name}-{model_hash(run)}.json"
    if path.is_file():
        say(f"{run.name}: is evaluated already")
        return _read(path)
    others = sorted(folder.glob("*.json"))
    gray = _read(others[0]).rows[GRAY] if others else None
    evaluation = evaluate_photos(Colorizer.load(run), photos, perceptual=perceptual, gray=gray)
    found = {**as_dict(evaluation), "pictures": evaluation.pictures}
    write_bytes(path, json.dumps(found).encode())
    return evaluation


def _read(path: Path) -> Evaluation:
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = {
        row: {
            name: Score(math.nan if value is None else value, low, high)
            for name, (value, low, high) in scores.items()
        }
        for row, scores in found.pop("rows").items()
    }
    return Evaluation(rows=rows, **found)


def _recipes(plan: Plan) -> dict[str, AnyRecipe]:
    """By name, complete and checked; what others start from comes first."""
    names = [path.stem for path in plan.recipes]
    for name in names:
        if name == GRAY:
            raise UsageError(f"{GRAY}.yaml: rename it; the gray picture's row is called so")
        if names.count(name) > 1:
            raise UsageError(f"{name}: two recipes have this name; rename one of them")
    flags = {**plan.flags, "validation.on_training_photos": False, "runs_dir": plan.out / "runs"}
    recipes = {}
    for path in plan.recipes:
        recipe = load_recipe(None, path, plan.settings, {**flags, "name": path.stem})
        recipes[path.stem] = recipe
    for name, recipe in recipes.items():
        if not recipe.from_scratch:
            recipes[name] = recipe.model_copy(update={"init": _start(name, recipe, recipes, plan)})
    ordered = sorted(recipes, key=lambda name: TASKS[recipes[name].task].stage)
    complete = {name: _with_room(with_absolute_paths(recipes[name])) for name in ordered}
    for name, recipe in complete.items():
        _check_same(recipe, plan.out / "runs" / name)
    return complete


def _start(name: str, recipe: AnyRecipe, recipes: dict[str, AnyRecipe], plan: Plan) -> Path:
    """What a recipe that does not begin from scratch starts from."""
    bases = [re.sub(r"\bgan\b", base, name) for base in _BASES]
    bases = [base for base in bases if base != name] or [f"{name}-{base}" for base in _BASES]
    for base in bases:
        if base in recipes and TASKS[recipes[base].task].stage == 1:
            return plan.out / "runs" / base
    start = plan.init or recipe.init
    if start is None:
        raise UsageError(
            f"{name}: needs a pretrained generator; add the recipe {' or '.join(bases)}, "
            "or name a run or file with --init"
        )
    if not start.exists():
        raise MissingPathError(f"{start}: no such model file or run folder")
    return start


def _with_room(recipe: AnyRecipe) -> AnyRecipe:
    """Return the recipe with warm-ups that leave the generator half of a short budget."""
    if recipe.budget.max_minutes is not None:
        return recipe
    photos = len(select_photos(recipe)[0])
    order = EpochOrder(photos, recipe.data.batch_size, seed=0, accumulate=recipe.accumulate)
    steps = resolve_budget(recipe, order).steps
    recipe, notes = shorten_warmups(recipe, steps, critic_share=0.5)
    for note in notes:
        say(f"{recipe.name}: {note}")
    return recipe


def _check_same(recipe: AnyRecipe, folder: Path) -> None:
    """A run that is there must be one of this recipe."""
    if not (folder / CONFIG_IN_RUN).is_file():
        return
    ours, theirs = (
        r.model_dump(mode="json", exclude={"name", "runs_dir", "device"} | _decided_by_init(recipe))
        for r in (recipe, load_recipe(None, folder / CONFIG_IN_RUN))
    )
    for key, value in ours.items():
        if key == "init_hash" and value is None:  # not known before the first stage is trained
            continue
        if theirs.get(key) != value:
            what = "from another model" if key == "init_hash" else f"with another {key}"
            raise UsageError(
                f"{folder}: was trained {what}; choose another --out, or move this run away"
            )


def _decided_by_init(recipe: AnyRecipe) -> set[str]:
    return set() if recipe.init is None else {"model"}


def _started_from(recipe: AnyRecipe, out: Path) -> str | None:
    """In words, if training was not from scratch."""
    init = recipe.init
    if init is not None:
        return init.name if init.parent == (out / "runs").resolve() else str(init)
    if recipe.model.encoder_weights == "none":
        return None
    return f"an encoder ({recipe.model.encoder_weights})"


def budget_in_words(recipe: AnyRecipe) -> str:
    """Such as ``10 minutes``."""
    budget = recipe.budget.model_dump(exclude_none=True)
    ((name, value),) = budget.items()
    return f"{value:g} {name.removeprefix('max_')}"
