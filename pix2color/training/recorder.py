"""Keeps a run's folder while the engine trains: curves, samples, checkpoints and the model."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import math
import os
import statistics
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pix2color.config.load import dump_recipe
from pix2color.config.schema import CheckpointConfig, GanRecipe, PretrainRecipe, ValidationConfig
from pix2color.data.batches import Batch, EpochOrder
from pix2color.data.sources import Photo
from pix2color.errors import TrainingError
from pix2color.files import replacing
from pix2color.models.model_file import NAME_IN_RUN, ModelInfo, save_model
from pix2color.progress import say, track
from pix2color.training import checkpoint, selection
from pix2color.training.collapse import CollapseWatch
from pix2color.training.engine import SKIPPED, Engine
from pix2color.training.run_folder import CHECKPOINTS_IN_RUN, CONFIG_IN_RUN
from pix2color.training.tasks import Validation
from pix2color.training.tracking import Tracker

_LEFT_OUT = "left-out.csv"
_SKIPPED_AMONG = 1000
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
        self.history: list[dict[str, Any]] = []
        self.skipped: list[int] = []
        self.watch = CollapseWatch()
        self._curves: list[dict[str, Any]] = []  # of the steps since the last point
        self._due = {"validation": _Due(recipe.validation), "checkpoint": _Due(recipe.checkpoint)}
        self._validated_at = self._saved_at = -1
        self._pause = 0.0

    def begin(self, photos: list[Photo], state: dict[str, Any] | None) -> None:
        """Open the folder, new or as the state says."""
        engine = self.engine
        self.photos = len(photos)
        self.fingerprint = _fingerprint(photos)
        if state:
            self.left_out, self.scores = state["left_out"], state["scores"]
            self.history, self.skipped = state["history"], state["skipped"]
            self.watch, self._curves = CollapseWatch(**state["watch"]), state["curves"]
            self._validated_at = self.history[-1]["step"] if self.history else -1
            if state["photos"] != self.fingerprint:
                say("warning: the training photos have changed since; going on with them")
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / CONFIG_IN_RUN) as temporary:
            temporary.write_text(dump_recipe(self.recipe), encoding="utf-8")
        self.tracker = Tracker(self.folder, self.recipe, first_step=engine.step_number)
        for due in self._due.values():
            due.start(engine)
        half = engine.accelerator.mixed_precision == "bf16"
        device = f"{engine.device.type} in {'bf16' if half else 'float32'}"
        shown = 0 if self.pixels is None else len(self.pixels)
        say(
            f"{self.folder}: {self.photos} photos, {shown} for validation, "
            f"{self.order.pictures_per_step} a step, {device}, from step {engine.step_number}"
        )
        budget = engine.budget
        total, unit = (budget.steps, "steps") if budget.steps else (budget.seconds / 60, "min")
        self._exit = contextlib.ExitStack()
        self._progress = self._exit.enter_context(
            track(self.recipe.task, float(total), unit, begun=self._done())
        )
        self._window = time.monotonic(), engine.step_number

    def after_step(self, batches: list[Batch], curves: dict[str, Tensor]) -> None:
        """Log, validate and save as the recipe asks."""
        engine = self.engine
        for batch in batches:
            self.left_out |= batch.left_out
        self._curves.append(curves)
        if engine.step_number % self.recipe.log_every == 0:
            self._log()
        if self._due["validation"].now(engine):
            self._validate()
        if self._due["checkpoint"].now(engine) and engine.spent_share() < 1:
            # The last one is finish()'s.
            self._save()

    def stop(self) -> None:
        """The last point and checkpoint of a run that is to be gone on with."""
        self._log()
        self._save()

    def changed(self, how: str) -> None:
        """The exported network is another one now: what was found of it counts no more."""
        if self._validated_at == self.engine.step_number:
            self.history.pop()
        self._validated_at = self._saved_at = -1
        say(how)
        self.tracker.text("change", how, self.engine.step_number)

    def finish(self) -> None:
        """The last point, validation, checkpoint and model."""
        self._log()
        self._validate()
        self._save()
        if self.history:
            self._select()
        self.tracker.finished(self.engine.step_number)
        left = Counter(self.left_out.values())
        if left:
            told = ", ".join(f"{count} {reason}" for reason, count in sorted(left.items()))
            say(f"photos left out: {told} (listed in {self.folder / _LEFT_OUT})")
        for phase in self.engine.task.phases:
            if self.engine.step_number <= phase.first_step:
                say(
                    f"warning: the {phase.name} has learnt nothing, its first turn would have been "
                    f"after step {phase.first_step}; give a larger budget"
                )
        if self.scores:
            say("  ".join(f"{name} {value:.3f}" for name, value in self.scores.items()))
        say(f"done: {self.folder}\n  watch:  tensorboard --logdir {self.folder.parent}")

    def close(self) -> None:
        self._exit.close()
        self.tracker.close()

    def _log(self) -> None:
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

    def _means(self) -> dict[str, float]:
        """Of the curves since the last time; steps that were skipped count as such alone."""
        steps = _floats(self._curves)
        first = self.engine.step_number - len(steps) + 1
        for step, values in enumerate(steps, start=first):
            if values[SKIPPED]:
                self.skipped.append(step)
                self._check_skipped(values)
        sound = [values for values in steps if not values[SKIPPED]]
        names = sound[-1] if sound else {}
        means = {name: statistics.fmean(v[name] for v in sound if name in v) for name in names}
        return means | {SKIPPED: float(len(self.skipped))}

    def _check_skipped(self, values: dict[str, float]) -> None:
        """Raises: TrainingError: too many steps were skipped of late."""
        step, most = self.skipped[-1], self.recipe.max_skipped
        recent = [s for s in self.skipped if s > step - _SKIPPED_AMONG]
        if len(recent) < most:
            return
        bad = ", ".join(name for name, value in values.items() if not math.isfinite(value))
        raise TrainingError(
            f"{self.folder}: {len(recent)} of the last {_SKIPPED_AMONG} steps had no finite "
            f"gradient, the last one step {step} ({bad}); lower optimizer.lr, set clip=1, or "
            "precision=float32, and --resume or start anew"
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
        self._saved_at = -1  # not with this validation
        self.history.append({"step": engine.step_number, **self.scores})
        self._warn(self.watch.validation(self.scores))
        self._pause += time.monotonic() - start
        if self._best() == engine.step_number:
            self._save()  # which counts its own time

    def _save(self) -> None:
        engine, recipe = self.engine, self.recipe
        if self._saved_at == engine.step_number:
            return
        start = time.monotonic()
        self._export(engine.exported, engine.step_number, self.scores)
        if self.left_out:
            with (
                replacing(self.folder / _LEFT_OUT) as temporary,
                temporary.open("w") as file,
            ):
                csv.writer(file).writerows([("photo", "reason"), *sorted(self.left_out.items())])
        state = {
            "step": engine.step_number,
            "engine": engine.state_dict(),
            "left_out": self.left_out,
            "scores": self.scores,
            "history": self.history,
            "skipped": self.skipped,
            "watch": asdict(self.watch),
            "curves": _floats(self._curves),
            "photos": self.fingerprint,
            "processes": self.order.processes,
        }
        checkpoint.save(
            self.folder / CHECKPOINTS_IN_RUN,
            engine.step_number,
            state,
            newest=recipe.checkpoint.keep,
            also=[self._best()] if self.history else [],
        )
        self._saved_at = engine.step_number
        self._pause += time.monotonic() - start

    def _export(self, network: nn.Module, step: int, scores: dict[str, float]) -> None:
        recipe = self.recipe
        info = ModelInfo(
            architecture=recipe.model.name,
            options=recipe.model.options,
            recipe=recipe.model_dump(mode="json"),
            data={"photos": self.photos, "fingerprint": self.fingerprint},
            render_size=recipe.resolved_render_size,
            step=step,
            scores=scores,
        )
        save_model(self.folder / NAME_IN_RUN, network, info)

    def _best(self) -> int:
        return selection.best(self.history, self.recipe.selection)

    def _select(self) -> None:
        """Tell which validation was the best, and export that one if it is wanted."""
        config, step = self.recipe.selection, self._best()
        told = selection.explained(self.history, config)
        if config.export and step != self.engine.step_number:
            state = checkpoint.load(self.folder / CHECKPOINTS_IN_RUN, step)
            chosen = next(v for v in self.history if v["step"] == step)
            scores = {name: value for name, value in chosen.items() if name != "step"}
            self._export(self.engine.exported_from(state["engine"]), step, scores)
        elif not config.export:
            told = told.replace("selected", "best validation:", 1)
        say(told)
        self.tracker.text("selection", told)

    def _warn(self, warnings: list[str]) -> None:
        for warning in warnings:
            say(f"warning: step {self.engine.step_number}: {warning}")
            self.tracker.text("warning", warning, self.engine.step_number)


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


def _floats(curves: list[Any]) -> list[dict[str, float]]:
    return [{name: float(value) for name, value in step.items()} for step in curves]


def _fingerprint(photos: list[Photo]) -> str:
    """Of the list of photos, since the order of the epochs hangs on it."""
    return hashlib.sha256(b"\n".join(os.fsencode(photo.path) for photo in photos)).hexdigest()[:16]
