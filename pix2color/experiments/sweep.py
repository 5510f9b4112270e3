"""Search over settings: each trial is a run like any other, chosen and remembered by Optuna."""

from __future__ import annotations

import hashlib
import math
import os
import socket
from collections import defaultdict
from typing import Any

import optuna
import psutil
from filelock import FileLock
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, Trial, TrialState

from pix2color.config.schema import AnyRecipe
from pix2color.data.sources import Photo
from pix2color.errors import DataError, Stopped, UsageError
from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.systems import GRAY
from pix2color.experiments.axes import Axis, written
from pix2color.experiments.comparison_plan import budget_in_words
from pix2color.experiments.report import report_page
from pix2color.experiments.results import Comparison, System
from pix2color.experiments.reuse import train_and_evaluate
from pix2color.experiments.sweep_plan import MEASURES_TO_SEARCH, Sweep
from pix2color.html.gallery import check_place
from pix2color.progress import say
from pix2color.training.setup import select_photos

_DATABASE, _LOCK = "sweep.db", "sweep.lock"
_OWNER, _NAME, _ERROR = "owner", "name", "error"
_NOT_FAILED = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)


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
    study = _open_study(plan, first)
    with _alone(plan):
        _retry_failed(study)
    try:
        while trial := next_trial(plan, study):
            _run(plan, study, trial, photos)
    finally:
        with _alone(plan):
            _give_back(study)
    return _comparison(plan, study, photos, first, command), photos


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.values:
        return CategoricalDistribution(axis.values)
    log = axis.low > 0 and axis.high >= 10 * axis.low
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=log)
    return FloatDistribution(axis.low, axis.high, log=log)


def _open_study(plan: Sweep, first: AnyRecipe) -> optuna.Study:
    """Open this sweep's study in the database; a sweep over other settings is another one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    about = [first.model_dump_json(exclude={"name", "runs_dir"}), plan.measure]
    about += map(str, plan.over)
    try:
        return optuna.create_study(
            storage=plan.storage or f"sqlite:///{plan.out / _DATABASE}",
            study_name=f"sweep-{hashlib.sha256(repr(about).encode()).hexdigest()[:16]}",
            sampler=optuna.samplers.TPESampler(seed=os.getpid(), constant_liar=True),
            direction="maximize" if MEASURES_TO_SEARCH[plan.measure] == "↑" else "minimize",
            load_if_exists=True,
        )
    except Exception as error:  # of whichever database it is
        reason = str(error).partition("\n")[0]
        raise UsageError(f"--storage: the database cannot be opened ({reason})") from error


def _alone(plan: Sweep) -> FileLock:
    """Return the lock under which one process at a time asks for trials and gives them back."""
    return FileLock(plan.out / _LOCK)


def next_trial(plan: Sweep, study: optuna.Study) -> Trial | None:
    """Return a trial with values that nobody has tried; None if nothing is left.

    Optuna gives processes that ask at once the same values, on SQLite even the same waiting trial:
    here only one asks at a time. Its BruteForceSampler would not do for the combinations: to it a
    trial whose process was killed while asking is the end of a branch.
    """
    distributions = {axis.key: _distribution(axis) for axis in plan.over}
    in_order = plan.most == plan.count
    with _alone(plan):
        _give_back(study)
        while True:
            trials = study.get_trials(deepcopy=False)
            taken = _taken(trials)
            if len(taken) >= plan.most:
                return None
            if in_order and not any(trial.state == TrialState.WAITING for trial in trials):
                left = (v for v in plan.combinations() if frozenset(v.items()) not in taken)
                study.enqueue_trial(next(left))
            trial = study.ask(distributions)
            if frozenset(trial.params.items()) not in taken:
                trial.set_user_attr(_OWNER, [socket.gethostname(), os.getpid()])
                return trial
            study.tell(trial, state=TrialState.PRUNED)
            in_order = plan.count < math.inf  # the search proposes what it likes best, again


def _taken(trials: list[FrozenTrial]) -> set[frozenset[tuple[str, Any]]]:
    """Return the values that are tried, or being tried, or have failed for good."""
    by_state: dict[TrialState, set[frozenset[tuple[str, Any]]]] = defaultdict(set)
    for trial in trials:
        by_state[trial.state].add(frozenset(trial.params.items()))
    failed = by_state[TrialState.FAIL] - by_state[TrialState.WAITING]
    return by_state[TrialState.COMPLETE] | by_state[TrialState.RUNNING] | failed


def _give_back(study: optuna.Study) -> None:
    """Let trials be made again whose process is no more, or is this one.

    What they have trained is gone on with: it is found by its name. Optuna's heartbeat gives a
    trial back only after a grace period: the same command, called again, would end before.
    """
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            study.tell(trial.number, state=TrialState.PRUNED)
            if _OWNER in trial.user_attrs:  # else it may lack values
                _enqueue(study, trial)


def _retry_failed(study: optuna.Study) -> None:
    """Let trials that have failed in an earlier call be made again, unless others have."""
    for trial in study.get_trials(states=(TrialState.FAIL,)):
        others = study.get_trials(states=_NOT_FAILED)
        if not any(other.params == trial.params for other in others):
            _enqueue(study, trial)


def _enqueue(study: optuna.Study, trial: FrozenTrial) -> None:
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.WAITING, params=trial.params, distributions=trial.distributions
        )
    )


def _is_abandoned(trial: FrozenTrial) -> bool:
    """Whether nobody is at it. One without an owner is, since nobody else asks at this moment."""
    host, process = trial.user_attrs.get(_OWNER, (socket.gethostname(), os.getpid()))
    return host == socket.gethostname() and (
        not psutil.pid_exists(process) or process == os.getpid()
    )


def _run(plan: Sweep, study: optuna.Study, trial: Trial, photos: list[Photo]) -> None:
    """Train and evaluate; an error is printed and remembered."""
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
    """Return the values in the order of the axes, which a database need not keep."""
    return {axis.key: written(trial.params[axis.key]) for axis in plan.over}


def _comparison(
    plan: Sweep,
    study: optuna.Study,
    photos: list[Photo],
    recipe: AnyRecipe,
    command: str,
) -> Comparison:
    """Return all that is complete, the best first; evaluations are read, not made again."""
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
    sign = -1 if MEASURES_TO_SEARCH[plan.measure] == "↑" else 1
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
