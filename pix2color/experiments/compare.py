"""Recipes trained with the same budget and evaluated on the same photos."""

from __future__ import annotations

from pix2color.data.sources import Photo
from pix2color.errors import DataError, Stopped, UsageError
from pix2color.evaluation.perceptual import Perceptual
from pix2color.evaluation.predictions import paired
from pix2color.evaluation.systems import GRAY
from pix2color.experiments.comparison_plan import Plan, budget_in_words, plan_recipes
from pix2color.experiments.report import report_page
from pix2color.experiments.results import Comparison, System
from pix2color.experiments.reuse import judge_or_reuse, train_and_evaluate
from pix2color.html.gallery import check_place
from pix2color.progress import say
from pix2color.training.setup import select_photos


def compare(plan: Plan, command: str = "") -> tuple[Comparison, list[Photo]]:
    """Train what is not trained yet, evaluate what is not evaluated yet.

    A recipe that fails is reported, and the rest goes on. Folders of predictions come last.

    Returns:
        what was found, and the photos that were evaluated.

    Raises:
        UsageError: a recipe or setting is wrong, or there is no place for the report; nothing has
            been trained then.
        DataError: no recipe could be trained and evaluated, or a folder of predictions has no
            picture of the photos.
        Stopped: by a signal; the same call goes on.
    """
    check_place(report_page(plan.out))
    recipes = plan_recipes(plan)
    perceptual = Perceptual(plan.perceptual) if plan.perceptual else None
    first = next(iter(recipes.values()))
    photos = select_photos(first)[1]
    if not photos:
        raise UsageError("no photo is left to evaluate on; give --val, or a larger --val-fraction")
    roots = first.data.val or first.data.train
    predictions = [paired(folder, photos, roots) for folder in plan.predictions]
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
    for made in predictions:
        judged = judge_or_reuse(made, photos, plan.out / "evaluations", perceptual)
        scores = judged.rows[made.name]
        systems.append(System(made.name, scores, judged.systems[made.name], made_by=made))
    order = [*(path.stem for path in plan.recipes), *(made.name for made in predictions)]
    return Comparison(
        systems=sorted(systems, key=lambda system: order.index(system.name)),
        gray=evaluation.rows[GRAY],
        photos=evaluation.photos,
        left_out=evaluation.left_out,
        budget=budget_in_words(first),
        failed=failed,
        command=command,
    ), photos
