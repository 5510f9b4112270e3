"""Settings tried out: each trial is a run like any other, chosen and remembered by Optuna."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
import random
import re
import socket
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from pix2color.config.load import load_recipe
from pix2color.config.schema import GanRecipe, PretrainRecipe
from pix2color.data.sources import Photo
from pix2color.errors import DataError, MissingExtraError, Stopped, UsageError
from pix2color.evaluation.protocol import GRAY, Evaluation
from pix2color.evaluation.tables import MEASURES, PERCEPTUAL
from pix2color.experiments.axes import Axis, written
from pix2color.experiments.compare import budget_in_words, report_page, train_and_evaluate
from pix2color.experiments.results import Comparison, System
from pix2color.html.gallery import check_place
from pix2color.progress import say
from pix2color.training.setup import select_photos, with_absolute_paths

try:
    import optuna
    from filelock import FileLock
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import FrozenTrial, Trial, TrialState
except ImportError as error:
    raise MissingExtraError(
        "sweep needs an extra; install it with: pip install 'pix2color[sweep]'"
    ) from error

_DATABASE, _LOCK = "sweep.db", "sweep.lock"
_OWNER, _NAME, _ERROR = "owner", "name", "error"
_ASKING = timedelta(seconds=30)
_NAME_LENGTH = 120
_DECIDED = ("budget", "name", "runs_dir", "validation.on_training_photos")
_MEASURES = {
    name: measure.better
    for name, measure in MEASURES.items()
    if measure.better in ("↑", "↓") and name not in PERCEPTUAL
}


@dataclass(frozen=True)
class Sweep:
    """What is tried out.

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

    def recipe(self, values: dict[str, str]) -> PretrainRecipe | GanRecipe:
        """That of a trial, complete; its name tells what is particular about it."""
        chosen = [f"{key}={value}" for key, value in values.items()]
        text = ",".join(chosen)
        name = re.sub(r"[^\w.,=+-]+", "-", text)
        if len(name) > _NAME_LENGTH:
            name = f"{name[:_NAME_LENGTH]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        decided = {"name": name, "runs_dir": self.out / "runs"}
        flags = {**self.flags, **decided, "validation.on_training_photos": False}
        task = None if self.config else "pretrain"
        return with_absolute_paths(load_recipe(task, self.config, (*self.settings, *chosen), flags))

    def first(self) -> PretrainRecipe | GanRecipe:
        """One of the recipes, after every value has been looked at by itself.

        Raises:
            UsageError: something in the plan is wrong.
        """
        if self.measure not in _MEASURES:
            raise UsageError(f"--measure {self.measure}: choose one of {', '.join(_MEASURES)}")
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

    def combinations(self) -> list[dict[str, str]]:
        """All there are, none if one axis is a range."""
        axes = [[(axis.key, value) for value in axis.values] for axis in self.over]
        return [dict(values) for values in itertools.product(*axes)]


def sweep(plan: Sweep, command: str = "") -> tuple[Comparison, list[Photo]]:
    """Train and evaluate what is still missing.

    Several processes, on one machine or many, share the work if they share ``storage`` and
    ``out``. A trial whose process was stopped or has died is tried again, and so is what failed
    in an earlier call.

    Returns:
        what was found by all of them so far, and the photos that were evaluated.

    Raises:
        UsageError: a setting is wrong.
        DataError: no trial has succeeded.
        Stopped: by a signal; the same call goes on.
    """
    check_place(report_page(plan.out))
    first = plan.first()
    photos = select_photos(first)[1]
    if not photos:
        raise UsageError("no photo is left to evaluate on; give --val, or a larger --val-fraction")
    plan.out.mkdir(parents=True, exist_ok=True)
    study = _study(plan, first)
    _give_back(study)
    begun = len(study.get_trials())
    try:
        while trial := _next(plan, study, begun):
            _try(plan, study, trial, photos)
    finally:
        _give_back(study)
    return _comparison(plan, study, photos, first, command), photos


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.values:
        return CategoricalDistribution(axis.values)
    log = axis.low > 0 and axis.high >= 10 * axis.low
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=log)
    return FloatDistribution(axis.low, axis.high, log=log)


def _study(plan: Sweep, first: PretrainRecipe | GanRecipe) -> optuna.Study:
    """The one of this sweep in the database; a sweep over other settings is another one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    told = [first.model_dump_json(exclude={"name", "runs_dir"}), plan.measure, *map(str, plan.over)]
    try:
        return optuna.create_study(
            storage=plan.storage or f"sqlite:///{plan.out / _DATABASE}",
            study_name=f"sweep-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}",
            sampler=optuna.samplers.TPESampler(seed=os.getpid(), constant_liar=True),
            direction="maximize" if _MEASURES[plan.measure] == "↑" else "minimize",
            load_if_exists=True,
        )
    except Exception as error:  # of whichever database it is
        reason = str(error).partition("\n")[0]
        raise UsageError(f"--storage: the database cannot be opened ({reason})") from error


def _next(plan: Sweep, study: optuna.Study, begun: int) -> Trial | None:
    """A trial that is ours to make; None if nothing is left.

    What failed before trial ``begun``, in an earlier call, counts for nothing.
    """
    combinations = plan.combinations()
    most = min(plan.trials or math.inf, math.prod(axis.count for axis in plan.over))
    while True:
        trials = study.get_trials()
        taken = _taken(trials, begun)
        if len(taken) >= most:
            return None
        missing = [values for values in combinations if frozenset(values.items()) not in taken]
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        if len(combinations) == most and not waiting:
            study.enqueue_trial(missing[0])
        # On SQLite Optuna gives two who ask at once the same waiting trial.
        with FileLock(plan.out / _LOCK):
            trial = study.ask({axis.key: _distribution(axis) for axis in plan.over})
        trial.set_user_attr(_OWNER, [socket.gethostname(), os.getpid()])
        # Others may have asked at the same time: who came first goes first.
        taken = _taken(_before(study, trial), begun)
        if len(taken) < most and frozenset(trial.params.items()) not in taken:
            return trial
        study.tell(trial, state=TrialState.PRUNED)
        if missing:  # rather than what the search likes best again and again
            study.enqueue_trial(random.choice(missing))


def _taken(trials: list[FrozenTrial], begun: int) -> set[frozenset[tuple[str, Any]]]:
    """The values that are tried, or being tried, or have failed in this call."""
    return {
        frozenset(trial.params.items())
        for trial in trials
        if (trial.state == TrialState.RUNNING and _OWNER in trial.user_attrs)
        or trial.state == TrialState.COMPLETE
        or (trial.state == TrialState.FAIL and trial.number >= begun)
    }


def _before(study: optuna.Study, trial: Trial) -> list[FrozenTrial]:
    """The earlier trials, once those that other processes are asking for have their values."""
    while True:
        earlier = [other for other in study.get_trials() if other.number < trial.number]
        if not any(map(_is_asked_for, earlier)):
            return earlier
        time.sleep(0.05)


def _is_asked_for(trial: FrozenTrial) -> bool:
    """Whether it is just being made: its values come one by one, and its owner at the end.

    For a while only, since its process may have been killed at that moment.
    """
    unowned = trial.state == TrialState.RUNNING and _OWNER not in trial.user_attrs
    begun = trial.datetime_start
    return unowned and begun is not None and datetime.now() - begun < _ASKING


def _try(plan: Sweep, study: optuna.Study, trial: Trial, photos: list[Photo]) -> None:
    """Train and evaluate; what goes wrong is told and remembered."""
    values = _values(plan, trial)
    trial.set_user_attr(_NAME, ",".join(f"{key}={value}" for key, value in values.items()))
    try:
        recipe = plan.recipe(values)
        say(f"trial {trial.number}: {recipe.name}")
        trial.set_user_attr(_NAME, recipe.name)
        system, _ = train_and_evaluate(recipe, photos, plan.out)
    except Stopped:
        raise
    except Exception as error:  # whatever it is, the others go on
        trial.set_user_attr(_ERROR, str(error).partition("\n")[0])
        say(f"{trial.user_attrs[_NAME]} failed: {trial.user_attrs[_ERROR]}")
        study.tell(trial, state=TrialState.FAIL)
        return
    study.tell(trial, system.scores[plan.measure].value)


def _values(plan: Sweep, trial: Trial | FrozenTrial) -> dict[str, str]:
    """In the order of the axes, which a database need not keep."""
    return {axis.key: written(trial.params[axis.key]) for axis in plan.over}


def _give_back(study: optuna.Study) -> None:
    """Let the trials of processes of this machine that are no more, or of this one, be made again.

    What they have trained is gone on with: it is found by its name.
    """
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if _is_gone(trial):
            # Another process may be quicker, before the trial is read or before it is written.
            with contextlib.suppress(ValueError, UpdateFinishedTrialError):
                study.tell(trial.number, state=TrialState.PRUNED)
                study.enqueue_trial(trial.params)


def _is_gone(trial: FrozenTrial) -> bool:
    """Whether nobody is at it."""
    if _OWNER not in trial.user_attrs:
        return not _is_asked_for(trial)
    host, process = trial.user_attrs[_OWNER]
    return host == socket.gethostname() and (
        not psutil.pid_exists(process) or process == os.getpid()
    )


def _comparison(
    plan: Sweep,
    study: optuna.Study,
    photos: list[Photo],
    recipe: PretrainRecipe | GanRecipe,
    command: str,
) -> Comparison:
    """All that is complete, the best first; evaluations are read, not made again."""
    found: list[tuple[System, Evaluation]] = []
    failed: dict[str, str] = {}
    for trial in study.get_trials():
        if trial.state == TrialState.COMPLETE:
            found.append(train_and_evaluate(plan.recipe(_values(plan, trial)), photos, plan.out))
        elif trial.state == TrialState.FAIL:
            failed[trial.user_attrs.get(_NAME, "?")] = trial.user_attrs.get(_ERROR, "unknown")
    if not found:
        raise DataError("no trial has succeeded; " + "; ".join(failed.values()))
    for system, _ in found:  # in another trial
        failed.pop(system.name, None)
    sign = -1 if _MEASURES[plan.measure] == "↑" else 1
    found.sort(key=lambda pair: sign * pair[0].scores[plan.measure].value)
    return Comparison(
        systems=[system for system, _ in found],
        gray=found[0][1].rows[GRAY],
        photos=found[0][1].photos,
        left_out=found[0][1].left_out,
        budget=budget_in_words(recipe),
        failed=failed,
        command=command,
    )
