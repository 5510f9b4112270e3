"""The record of a training: curves, sample pictures, messages and progress."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from pix2color.config.schema import Recipe
from pix2color.data.batches import Batch, EpochOrder
from pix2color.files import write_rows
from pix2color.progress import say, track
from pix2color.training.collapse import CollapseWatch
from pix2color.training.engine import SKIPPED, Engine
from pix2color.training.stopping import StopPolicy
from pix2color.training.task import Validation
from pix2color.training.tracking import Tracker

_LEFT_OUT = "left-out.csv"
_NO_LOSSES = ("gradient_norm", "learning_rate", "accuracy_real", "accuracy_fake")


class Recorder:
    """The writer of a training's curves, pictures and messages, which also shows them on stderr.

    With several processes the first one records: its losses are logged, and the photos that it
    left out are listed.

    Args:
        folder: of the training; made by ``opened``.
        recipe: what is recorded beside the curves, and ``log_every``.
        engine: that trains.
        order: of the photos.
        stop: counts the steps that are skipped.

    Attributes:
        scores: of the last validation.
        history: step and scores of every validation.
        left_out: reason by path of the photos that are of no use.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, engine: Engine, order: EpochOrder, stop: StopPolicy
    ) -> None:
        self.folder, self.recipe, self.engine = folder, recipe, engine
        self.order, self.stop = order, stop
        self.left_out: dict[str, str] = {}
        self.scores: dict[str, float] = {}
        self.history: list[dict[str, Any]] = []
        self.watch = CollapseWatch()
        self._curves: list[dict[str, Any]] = []  # of the steps since the last point
        self._pause = 0.0

    @contextlib.contextmanager
    def opened(self, label: str) -> Iterator[None]:
        """Write into the folder and show progress while the block lasts."""
        engine = self.engine
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tracker = Tracker(self.folder, self.recipe, first_step=engine.step_number)
        steps, seconds = engine.budget.steps, engine.budget.seconds
        total, unit = (float(steps), "steps") if steps else (seconds / 60, "min")
        try:
            with track(label, total, unit, begun=self._done()) as self._progress:
                self._window = time.monotonic(), engine.step_number
                self._progress.activity = self._activity()
                yield
        finally:
            self.tracker.close()

    def step(self, batches: list[Batch], curves: dict[str, Tensor]) -> None:
        """Take the batches and the curves of a step, and log when the recipe asks for it."""
        for batch in batches:
            self.left_out |= batch.left_out
        self._curves.append(curves)
        self._progress.activity = self._activity()
        self._progress(self._done())
        if self.engine.step_number % self.recipe.log_every == 0:
            self.log()

    def log(self) -> None:
        """Write a point of the curves: means over the steps since the last one."""
        if not self._curves:
            return
        engine = self.engine
        means = self._means()
        now, (since, first) = time.monotonic(), self._window
        pictures = (engine.step_number - first) * self.order.pictures_per_step
        means["speed/pictures_per_second"] = pictures / (now - since - self._pause)
        means["data/epoch"] = engine.step_number / self.order.steps_per_epoch
        means["data/photos_left_out"] = float(len(self.left_out))
        self.tracker.scalars(engine.step_number, means)
        self._warn(self.watch.curves(engine.step_number, means))
        self._curves, self._window, self._pause = [], (now, engine.step_number), 0.0
        note = f"{means['speed/pictures_per_second']:.0f} pictures/s"
        self._progress(self._done(), note, self._summary(means))

    @contextlib.contextmanager
    def during(self, activity: str) -> Iterator[None]:
        """Show the present activity, whose time does not count into the speed of the steps."""
        start = time.monotonic()
        with self._progress.during(activity):
            yield
        self._pause += time.monotonic() - start

    def validated(self, validation: Validation) -> None:
        """Record a validation at the present step."""
        step, self.scores = self.engine.step_number, validation.scores
        self.tracker.scalars(step, {f"val/{name}": v for name, v in self.scores.items()})
        if validation.samples.size:
            self.tracker.samples(step, validation.samples)
        self.history.append({"step": step, **self.scores})
        self._warn(self.watch.validation(self.scores))

    def message(self, name: str, text: str) -> None:
        """Say something to the person, and keep it beside the curves."""
        say(text)
        self.tracker.text(name, text, self.engine.step_number)

    def write_left_out(self) -> None:
        """List the photos that were left out so far, if there are any."""
        if self.left_out:
            rows = [("photo", "reason"), *sorted(self.left_out.items())]
            write_rows(self.folder / _LEFT_OUT, rows)

    def finish(self) -> None:
        """Note in the curves that the budget is spent and all is written."""
        self.tracker.finished(self.engine.step_number)

    def conclude(self) -> None:
        """Say what came of the training."""
        counts = Counter(self.left_out.values())
        if counts:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
            say(f"photos left out: {reasons} (listed in {self.folder / _LEFT_OUT})")
        for phase in self.engine.task.phases:
            if self.engine.step_number <= phase.first_step:
                say(
                    f"warning: the {phase.name} has learnt nothing, its first turn would have been "
                    f"after step {phase.first_step}; give a larger budget"
                )
        if self.scores:
            say("  ".join(f"{name} {value:.3f}" for name, value in self.scores.items()))
        say(f"done: {self.folder}\n  watch:  tensorboard --logdir {self.folder.parent}")

    def state_dict(self) -> dict[str, Any]:
        """Return plain values that ``load_state_dict`` goes on from."""
        return {
            "left_out": self.left_out,
            "scores": self.scores,
            "history": self.history,
            "skipped": self.stop.skipped,
            "watch": asdict(self.watch),
            "curves": _floats(self._curves),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from another recorder's ``state_dict``."""
        self.left_out, self.scores = state["left_out"], state["scores"]
        self.history, self.stop.skipped = state["history"], state["skipped"]
        self.watch, self._curves = CollapseWatch(**state["watch"]), state["curves"]

    def _done(self) -> float:
        """Return how far the training is, in the unit of the progress display."""
        engine = self.engine
        return engine.step_number if engine.budget.steps else engine.spent / 60

    def _activity(self) -> str:
        """Return the present activity's name: a warm-up, while a network waits for its turn."""
        step, phases = self.engine.step_number, self.engine.task.phases
        if all(step >= phase.first_step for phase in phases):
            return ""
        return "warm-up of the " + ", ".join(p.name for p in phases if step >= p.first_step)

    def _summary(self, curves: dict[str, float]) -> str:
        """Return the losses and the last validation, in one line."""
        losses = [
            f"{name.rpartition('/')[2]} {value:.3g}"
            for name, value in curves.items()
            if name.startswith(tuple(f"{phase.name}/" for phase in self.engine.task.phases))
            and not name.endswith(_NO_LOSSES)
        ]
        if self.scores:
            losses.append(f"validation: {self.engine.task.summary(self.scores)}")
        return "  ".join(losses)

    def _means(self) -> dict[str, float]:
        """Return means of the curves since the last time; skipped steps count as such alone."""
        steps = _floats(self._curves)
        first = self.engine.step_number - len(steps) + 1
        for step, values in enumerate(steps, start=first):
            if values[SKIPPED]:
                self.stop.count_skipped(step, values)
        sound = [values for values in steps if not values[SKIPPED]]
        names = sound[-1] if sound else {}
        means = {name: statistics.fmean(v[name] for v in sound if name in v) for name in names}
        return means | {SKIPPED: float(len(self.stop.skipped))}

    def _warn(self, warnings: list[str]) -> None:
        for warning in warnings:
            say(f"warning: step {self.engine.step_number}: {warning}")
            self.tracker.text("warning", warning, self.engine.step_number)


def _floats(curves: list[Any]) -> list[dict[str, float]]:
    return [{name: float(value) for name, value in step.items()} for step in curves]
