"""The tasks of the stages, by the names that recipes have."""

from __future__ import annotations

from pix2color.config.schema import AnyRecipe
from pix2color.models.base import Generator
from pix2color.training.adversarial import AdversarialTask
from pix2color.training.doubt import DoubtTask
from pix2color.training.regression import RegressionTask
from pix2color.training.task import Task

TASKS: dict[str, type[RegressionTask]] = {
    "pretrain": RegressionTask,
    "train-gan": AdversarialTask,
    "train-doubt": DoubtTask,
}
"""Task by the ``task`` of its recipe."""


def build_task(recipe: AnyRecipe, generator: Generator) -> Task:
    """Return the task of a recipe, with optimizers, losses and whatever networks it adds."""
    return TASKS[recipe.task].from_recipe(recipe, generator)
