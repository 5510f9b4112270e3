"""Keeps a run's folder while the engine trains: curves, samples, checkpoints and the model."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import math
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from torch import Tensor

from pix2color import console, images
from pix2color.config import (
    CheckpointConfig,
    GanRecipe,
    PretrainRecipe,
    ValidationConfig,
    dump_recipe,
)
from pix2color.data.loader import Batch, EpochOrder
from pix2color.models.files import NAME_IN_RUN, ModelInfo, save_model
from pix2color.runs import CHECKPOINTS_IN_RUN, CONFIG_IN_RUN
from pix2color.training import checkpoint
from pix2color.training.engine import Engine
from pix2color.training.tasks import Validation
from pix2color.training.tracking import Tracker

_LEFT_OUT = "left-out.csv"
_NO_LOSSES = ("gradient_norm", "learning_rate", "accuracy_real", "accuracy_fake")


class RunKeeper:
    """Keeps a run's folder: curves, samples, checkpoints and the model.

    With several processes the first one keeps it: its losses are logged, and the photos that it
    left out are listed.

    Args:
        folder: of the run, there or not.
        recipe: complete, paths absolute.
        engine: that trains.
        order: of the photos.
        pixels: validation squares, uint8 (N, 3, S, S), or None.
    """

    def __init__(
        self,
        folder: Path,
        recipe: PretrainRecipe | GanRecipe,
        engine: Engine,
        order: EpochOrder,
        pixels: Tensor | None,
    ) -> None:
        self.folder, self.recipe, self.engine = folder, recipe, engine
        self.order, self.pixels = order, pixels
        self.left_out: dict[str, str] = {}
        self.scores: dict[str, float] = {}
        self._curves: list[dict[str, Tensor]] = []
        self._due = {"validation": _Due(recipe.validation), "checkpoint": _Due(recipe.checkpoint)}
        self._validated_at = self._saved_at = -1
        self._pause = 0.0

    def begin(self, photos: list[Path], state: dict[str, Any] | None) -> None:
        """Open the folder, new or as the state says."""
        engine = self.engine
        self.photos = len(photos)
        self.fingerprint = _fingerprint(photos)
        if state:
            self.left_out, self.scores = state["left_out"], state["scores"]
            if state["photos"] != self.fingerprint:
                console.say("warning: the training photos have changed since; going on with them")
        self.folder.mkdir(parents=True, exist_ok=True)
        with images.replacing(self.folder / CONFIG_IN_RUN) as temporary:
            temporary.write_text(dump_recipe(self.recipe), encoding="utf-8")
        self.tracker = Tracker(self.folder, self.recipe, first_step=engine.step_number)
        for due in self._due.values():
            due.start(engine)
        device = f"{engine.device.type}, {engine.accelerator.mixed_precision}"
        shown = len(self.pixels) if self.pixels is not None else 0
        console.say(
            f"{self.folder}: {self.photos} photos, {shown} for validation, "
            f"batches of {self.recipe.data.batch_size} x {self.order.processes}, {device}, "
            f"from step {engine.step_number}"
        )
        budget = engine.budget
        total, unit = (budget.steps, "steps") if budget.steps else (budget.seconds / 60, "min")
        self._exit = contextlib.ExitStack()
        self._progress = self._exit.enter_context(
            console.progress(self.recipe.task, float(total), unit, begun=self._done())
        )
        self._window_start = time.monotonic()

    def after_step(self, batch: Batch, curves: dict[str, Tensor]) -> None:
        """Log, validate and save as the recipe asks."""
        engine = self.engine
        self.left_out |= batch.left_out
        self._curves.append(curves)
        if engine.step_number % self.recipe.log_every == 0:
            self._log()
        if self._due["validation"].now(engine):
            self._validate()
        if self._due["checkpoint"].now(engine):
            self._save()

    def finish(self) -> None:
        """The last point, validation, checkpoint and model."""
        self._log()
        self._validate()
        self._save()
        self.tracker.finished(self.engine.step_number)
        left = Counter(self.left_out.values())
        if left:
            told = ", ".join(f"{count} {reason}" for reason, count in sorted(left.items()))
            console.say(f"photos left out: {told} (listed in {self.folder / _LEFT_OUT})")
        for phase in self.engine.task.phases:
            if self.engine.step_number <= phase.first_step:
                console.say(
                    f"warning: the {phase.name} has learnt nothing, its first turn would have been "
                    f"after step {phase.first_step}; give a larger budget"
                )
        if self.scores:
            console.say("  ".join(f"{name} {value:.3f}" for name, value in self.scores.items()))
        console.say(f"done: {self.folder}\n  watch:  tensorboard --logdir {self.folder.parent}")

    def close(self) -> None:
        self._exit.close()
        self.tracker.close()

    def _log(self) -> None:
        if not self._curves:
            return
        engine, names = self.engine, self._curves[-1]
        means = {
            name: sum(float(c[name]) for c in self._curves if name in c)
            / sum(name in c for c in self._curves)
            for name in names
        }
        now = time.monotonic()
        pictures = len(self._curves) * self.recipe.data.batch_size * self.order.processes
        means["speed/pictures_per_second"] = pictures / (now - self._window_start - self._pause)
        means["data/epoch"] = engine.step_number / self.order.steps_per_epoch
        means["data/photos_left_out"] = float(len(self.left_out))
        self.tracker.scalars(engine.step_number, means)
        self._curves, self._window_start, self._pause = [], now, 0.0
        note = f"{means['speed/pictures_per_second']:.0f} pictures/s"
        self._progress(self._done(), note, self._told(means))

    def _done(self) -> float:
        """How far the work is, in the unit of the progress display."""
        engine = self.engine
        return engine.step_number if engine.budget.steps else engine.spent / 60

    def _told(self, curves: dict[str, float]) -> str:
        """The losses and the last validation, in one line."""
        losses = [
            f"{name.rpartition('/')[2]} {value:.3g}"
            for name, value in curves.items()
            if name.startswith(tuple(f"{phase.name}/" for phase in self.engine.task.phases))
            and not name.endswith(_NO_LOSSES)
        ]
        if not self.scores:
            return "  ".join(losses)
        scores = self.scores
        return "  ".join(losses) + (
            f"  validation: psnr {scores['psnr']:.2f} (gray {scores['psnr_gray']:.2f})"
            f"  colourfulness {scores['colorfulness_ratio']:.2f}"
        )

    def _validate(self) -> None:
        engine = self.engine
        if self.pixels is None or self._validated_at == engine.step_number:
            return
        start = time.monotonic()
        validation: Validation = engine.validate(self.pixels)
        self.scores = validation.scores
        self.tracker.scalars(
            engine.step_number, {f"val/{name}": value for name, value in self.scores.items()}
        )
        self.tracker.samples(engine.step_number, validation.samples)
        self._validated_at = engine.step_number
        self._pause += time.monotonic() - start

    def _save(self) -> None:
        engine, recipe = self.engine, self.recipe
        if self._saved_at == engine.step_number:
            return
        start = time.monotonic()
        state = {
            "step": engine.step_number,
            "engine": engine.state_dict(),
            "left_out": self.left_out,
            "scores": self.scores,
            "photos": self.fingerprint,
            "processes": self.order.processes,
        }
        checkpoint.save(
            self.folder / CHECKPOINTS_IN_RUN, engine.step_number, state, keep=recipe.checkpoint.keep
        )
        info = ModelInfo(
            architecture=recipe.model.name,
            options=recipe.model.options,
            recipe=recipe.model_dump(mode="json"),
            data={"photos": self.photos, "fingerprint": self.fingerprint},
            render_size=recipe.data.crop,
            step=engine.step_number,
            scores=self.scores,
        )
        save_model(self.folder / NAME_IN_RUN, engine.exported, info)
        if self.left_out:
            with (
                images.replacing(self.folder / _LEFT_OUT) as temporary,
                temporary.open("w") as file,
            ):
                csv.writer(file).writerows([("photo", "reason"), *sorted(self.left_out.items())])
        self._saved_at = engine.step_number
        self._pause += time.monotonic() - start


class _Due:
    """Whether something that recurs by steps or by minutes is due."""

    def __init__(self, config: ValidationConfig | CheckpointConfig) -> None:
        self.steps = config.every_steps
        self.seconds = config.every_minutes * 60 if config.every_minutes else math.inf

    def start(self, engine: Engine) -> None:
        self.last = engine.spent

    def now(self, engine: Engine) -> bool:
        by_steps = self.steps is not None and engine.step_number % self.steps == 0
        if not by_steps and engine.spent - self.last < self.seconds:
            return False
        self.last = engine.spent
        return True


def _fingerprint(photos: list[Path]) -> str:
    """Of the list of photos, since the order of the epochs hangs on it."""
    return hashlib.sha256(b"\n".join(map(os.fsencode, photos))).hexdigest()[:16]
