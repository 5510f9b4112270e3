"""Recording, validating and saving between the steps of a training."""

from __future__ import annotations

import math

from torch import Tensor

from pix2color.config.schema import CheckpointConfig, SelectionConfig, ValidationConfig
from pix2color.data.batches import Batch
from pix2color.training import selection
from pix2color.training.checkpointer import Checkpointer
from pix2color.training.engine import Engine
from pix2color.training.recorder import Recorder


class Supervisor:
    """The caretaker that records, validates and saves after a step when that is due.

    Args:
        engine: that trains.
        recorder: open; takes curves and validations.
        validation_batch: validation squares, or None.
        validation: how often to validate.
    """

    def __init__(
        self,
        engine: Engine,
        recorder: Recorder,
        validation_batch: Batch | None,
        validation: ValidationConfig,
    ) -> None:
        self.engine, self.recorder = engine, recorder
        self.validation_batch = validation_batch
        self._validation = _Due(validation, engine)
        self._checkpointer: Checkpointer | None = None
        history = recorder.history
        self._validated_at = history[-1]["step"] if history else -1

    def save_with(
        self, checkpointer: Checkpointer, config: CheckpointConfig, choice: SelectionConfig
    ) -> None:
        """Save by a checkpointer when it is due, and after each validation that is the best."""
        self._checkpointer, self._checkpoint = checkpointer, _Due(config, self.engine)
        self._choice = choice

    def after_step(self, batches: list[Batch], curves: dict[str, Tensor]) -> None:
        """Record a step, then validate and save if that is due."""
        self.recorder.step(batches, curves)
        if self._validation.now():
            self.validate()
        if self._checkpointer and self._checkpoint.now() and self.engine.spent_share() < 1:
            self._checkpointer.save()  # the last one is written after the last validation

    def validate(self) -> None:
        """Validate the exported network, once a step at most."""
        step, recorder = self.engine.step_number, self.recorder
        if self.validation_batch is None or self._validated_at == step:
            return
        with recorder.during("validation"):
            recorder.validated(self.engine.validate(self.validation_batch))
        self._validated_at = step
        if self._checkpointer:
            self._checkpointer.outdate()
            if selection.best(recorder.history, self._choice) == step:
                self._checkpointer.save()

    def changed(self, how: str) -> None:
        """Forget the validation of this step, since its network has changed."""
        if self._validated_at == self.engine.step_number:
            self.recorder.history.pop()
        self._validated_at = -1
        if self._checkpointer:
            self._checkpointer.outdate()
        self.recorder.message("change", how)


class _Due:
    """The rhythm of something that recurs by steps or by minutes."""

    def __init__(self, config: ValidationConfig | CheckpointConfig, engine: Engine) -> None:
        self.engine, self.steps = engine, config.every_steps
        self.seconds = config.every_minutes * 60 if config.every_minutes else math.inf
        self.last = engine.spent

    def now(self) -> bool:
        engine = self.engine
        by_steps = self.steps is not None and engine.step_number % self.steps == 0
        if not by_steps and engine.spent - self.last < self.seconds:
            return False
        self.last = engine.spent
        return True
