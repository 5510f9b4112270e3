"""The recipes of a comparison: read, completed, checked and put in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2color.config.load import load_recipe
from pix2color.config.schema import AnyRecipe
from pix2color.data.batches import EpochOrder
from pix2color.errors import MissingPathError, UsageError
from pix2color.evaluation.predictions import PredictionFolder
from pix2color.evaluation.systems import GRAY
from pix2color.progress import say
from pix2color.training.run_folder import CONFIG_IN_RUN
from pix2color.training.setup import resolve_budget, select_photos, with_absolute_paths
from pix2color.training.tasks import TASKS
from pix2color.training.warmup import shorten_warmups

_BASES = ("pretrain", "l1")


@dataclass(frozen=True)
class Plan:
    """The recipes to compare, and how.

    Attributes:
        recipes: YAML files; a system is called as its file.
        settings: ``key=value``, for all of them.
        flags: dotted key to value, for all of them: photos, split and budget.
        init: what a recipe that does not begin from scratch starts from, if no recipe beside it is
            its first stage.
        predictions: what other programs have made of the photos that are evaluated.
        perceptual: what measures of trained networks look through, if wanted; see ``Perceptual``.
        out: folder for runs, evaluations and report.
    """

    recipes: tuple[Path, ...]
    settings: tuple[str, ...]
    flags: dict[str, Any]
    init: Path | None
    predictions: tuple[PredictionFolder, ...]
    perceptual: str | None
    out: Path


def plan_recipes(plan: Plan) -> dict[str, AnyRecipe]:
    """Return the plan's recipes by name, complete and checked; first what others start from.

    Raises:
        UsageError, MissingPathError: a recipe cannot be meant, or what it starts from is missing.
    """
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
    complete = {name: with_room(with_absolute_paths(recipes[name])) for name in ordered}
    for name, recipe in complete.items():
        check_same_recipe(recipe, plan.out / "runs" / name)
    return complete


def _start(name: str, recipe: AnyRecipe, recipes: dict[str, AnyRecipe], plan: Plan) -> Path:
    """Return the model that a recipe starts from which does not begin from scratch."""
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


def with_room(recipe: AnyRecipe) -> AnyRecipe:
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


def check_same_recipe(recipe: AnyRecipe, folder: Path) -> None:
    """Check that a run that is there already is one of this recipe.

    Raises:
        UsageError: it was trained by other settings.
    """
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


def budget_in_words(recipe: AnyRecipe) -> str:
    """Return the budget of a recipe in words, such as ``10 minutes``."""
    budget = recipe.budget.model_dump(exclude_none=True)
    ((name, value),) = budget.items()
    return f"{value:g} {name.removeprefix('max_')}"
