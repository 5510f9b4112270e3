"""The plan of a sweep: a recipe, the settings that differ, and the measure to make better."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2color.config.load import load_recipe
from pix2color.config.schema import AnyRecipe
from pix2color.errors import UsageError
from pix2color.evaluation.tables import ELSEWHERE, MEASURES, PERCEPTUAL
from pix2color.experiments.axes import Axis
from pix2color.training.setup import with_absolute_paths

_NAME_LENGTH = 120
_DECIDED = ("budget", "name", "runs_dir", "validation.on_training_photos")
MEASURES_TO_SEARCH = {
    name: measure.better
    for name, measure in MEASURES.items()
    if measure.better in ("↑", "↓") and name not in (*PERCEPTUAL, *ELSEWHERE)
}


@dataclass(frozen=True)
class Sweep:
    """The settings and values to try out, and where.

    Attributes:
        config: the recipe; None for the defaults of ``pretrain``.
        settings: ``key=value``, for all trials.
        flags: dotted key to value, for all trials: photos, split, budget, model to start from.
        over: what differs between trials.
        measure: of the evaluation, that the search makes better.
        trials: how many altogether; None for every combination once.
        storage: URL of the database; None for a SQLite file in ``out``.
        out: folder for runs, evaluations and report.
    """

    config: Path | None
    settings: tuple[str, ...]
    flags: dict[str, Any]
    over: tuple[Axis, ...]
    measure: str
    trials: int | None
    storage: str | None
    out: Path

    def recipe(self, values: dict[str, str]) -> AnyRecipe:
        """Return a trial's recipe, complete; its name tells what is particular about it."""
        chosen = [f"{key}={value}" for key, value in values.items()]
        text = ",".join(chosen)
        name = re.sub(r"[^\w.,=+-]+", "-", text)
        if len(name) > _NAME_LENGTH:
            name = f"{name[:_NAME_LENGTH]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        decided = {"name": name, "runs_dir": self.out / "runs"}
        flags = {**self.flags, **decided, "validation.on_training_photos": False}
        task = None if self.config else "pretrain"
        return with_absolute_paths(load_recipe(task, self.config, (*self.settings, *chosen), flags))

    def first(self) -> AnyRecipe:
        """Return one of the recipes, after every value has been checked by itself.

        Raises:
            UsageError: something in the plan is wrong.
        """
        if self.measure not in MEASURES_TO_SEARCH:
            raise UsageError(
                f"--measure {self.measure}: choose one of {', '.join(MEASURES_TO_SEARCH)}"
            )
        if self.trials is None and not all(axis.values for axis in self.over):
            raise UsageError("--over low..high: say with --trials how many are to be tried")
        for axis in self.over:
            if self.flags.get(axis.key) is not None or axis.key.startswith(_DECIDED):
                raise UsageError(f"--over {axis.key}: is the same for all trials of a sweep")
        start = {axis.key: axis.examples[0] for axis in self.over}
        for axis in self.over:
            for value in axis.examples[1:]:
                self.recipe(start | {axis.key: value})
        return self.recipe(start)

    @property
    def count(self) -> float:
        """Number of all combinations."""
        return math.prod(axis.count for axis in self.over)

    @property
    def most(self) -> float:
        """Number of trials: those wanted, but no more than there are combinations."""
        return min(self.trials or math.inf, self.count)

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield all there are, of axes that are no ranges of real numbers."""
        keys = [axis.key for axis in self.over]
        for values in itertools.product(*(axis.all_values for axis in self.over)):
            yield dict(zip(keys, values, strict=True))
