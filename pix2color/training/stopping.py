"""Ends a run at the next step when it is asked to."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import torch
from accelerate import Accelerator

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class StopRequest:
    """Within its block Ctrl-C and SIGTERM ask for a stop; the second time they mean it.

    Processes that train together stop at the same step: they agree every so many.

    Args:
        accelerator: of this process.
        every: steps between agreements, if there are several processes.
    """

    def __init__(self, accelerator: Accelerator, every: int) -> None:
        self.accelerator, self.every = accelerator, every
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _NAMES}
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def agreed(self, step: int) -> bool:
        """Whether all processes stop after this step."""
        if self.accelerator.num_processes == 1:
            return self.received is not None
        if step % self.every:
            return False
        mine = torch.tensor([int(self.received or 0)], device=self.accelerator.device)
        highest = int(self.accelerator.gather(mine).max().item())
        self.received = signal.Signals(highest) if highest else None
        return self.received is not None

    @property
    def name(self) -> str:
        """Of what asked for it."""
        assert self.received is not None
        return _NAMES[self.received]

    @property
    def exit_code(self) -> int:
        """As shells have it."""
        return 128 + int(self.received or 0)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
