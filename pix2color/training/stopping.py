"""The end of a training: its budget is spent, a signal asks for it, or too many steps fail."""

from __future__ import annotations

import math
import shlex
import signal
import threading
from types import FrameType

import torch

from pix2color.errors import TrainingError
from pix2color.training.engine import Engine

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_SKIPPED_AMONG = 1000


class StopPolicy:
    """The policy that decides whether a training goes on.

    Within its block Ctrl-C and SIGTERM ask for a stop; the second time they end the process.
    Processes that train together stop at the same step: they agree on it every
    few steps.

    Args:
        engine: that trains.
        name: of the training, for messages.
        every: steps between agreements, if there are several processes.
        max_skipped: steps without a finite gradient among 1,000 that are too many.

    Attributes:
        received: the signal that asked for a stop.
        skipped: steps that had no finite gradient.
    """

    def __init__(self, engine: Engine, name: str, *, every: int, max_skipped: int) -> None:
        self.engine, self.name = engine, name
        self.every, self.max_skipped = every, max_skipped
        self.received: signal.Signals | None = None
        self.skipped: list[int] = []
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopPolicy:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _NAMES}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def agreed(self, step: int) -> bool:
        """Return whether all processes stop after this step because of a signal."""
        accelerator = self.engine.accelerator
        if accelerator.num_processes == 1:
            return self.received is not None
        if step % self.every:
            return False
        mine = torch.tensor([int(self.received or 0)], device=accelerator.device)
        highest = int(accelerator.gather(mine).max().item())
        self.received = signal.Signals(highest) if highest else None
        return self.received is not None

    @property
    def budget_spent(self) -> bool:
        """Whether the training has had all of its budget."""
        return self.engine.spent_share() >= 1

    @property
    def interrupted(self) -> bool:
        """Whether a signal has ended the training before its budget was spent."""
        return self.received is not None and not self.budget_spent

    @property
    def signal_name(self) -> str:
        """The name of the signal that asked for the stop."""
        assert self.received is not None
        return _NAMES[self.received]

    @property
    def exit_code(self) -> int:
        """The exit code of a process that the signal ends, as shells have it."""
        return 128 + int(self.received or 0)

    def count_skipped(self, step: int, curves: dict[str, float]) -> None:
        """Count a step that had no finite gradient.

        Raises:
            TrainingError: too many were skipped of late.
        """
        self.skipped.append(step)
        recent = [s for s in self.skipped if s > step - _SKIPPED_AMONG]
        if len(recent) < self.max_skipped:
            return
        bad = ", ".join(name for name, value in curves.items() if not math.isfinite(value))
        raise TrainingError(
            f"{self.name}: {len(recent)} of the last {_SKIPPED_AMONG} steps had no finite "
            f"gradient, the last one step {step} ({bad}); start another run from its weights, "
            f"--init {shlex.quote(self.name)}, with a lower optimizer.lr, with clip=1, or with "
            "precision=float32"
        )

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
