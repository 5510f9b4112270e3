"""Generators as networks for colouring, run by torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pix2color.errors import UsageError
from pix2color.models.base import Generator
from pix2color.processes import local_rank


class TorchNetwork:
    """A generator as a function on arrays.

    It computes in float32, so that colours are those that onnxruntime finds.

    Args:
        generator: moved to the device.
        device: torch's name of it.
    """

    def __init__(self, generator: Generator, device: str = "cpu") -> None:
        self.device = device
        self._process = os.getpid()
        self.generator = cast("Any", generator.float().eval())
        self.generator.to(device, memory_format=torch.channels_last)

    def __call__(self, L: np.ndarray, *hints: np.ndarray) -> np.ndarray:
        """Return the ab (N, 2, H, W) of L (N, 1, H, W), both float32."""
        return self._run(lambda *given: (self.generator(*given),), L, *hints)[0]

    def with_doubt(self, L: np.ndarray, *hints: np.ndarray) -> list[np.ndarray]:
        """Return the ab, and how far from the truth it expects that: (N, 1, H, W), in its units."""
        return self._run(self.generator.predict_with_doubt, L, *hints)

    def use_one_thread(self) -> None:
        """Let the network compute alone in this thread.

        On a CPU, threads that each serve one photo get more done than threads that share one.
        """
        torch.set_num_threads(1)

    def _work_in_fork(self) -> None:
        """Compute without helper threads: those of OpenMP stayed behind, and it waits for them."""
        if self.device != "cpu":
            raise UsageError(
                f"device {self.device}: cannot be used in a forked process; load the model in it, "
                'or start processes by multiprocessing\'s "spawn"'
            )
        torch.set_num_threads(1)

    @torch.inference_mode()
    def _run(
        self, predict: Callable[..., tuple[Tensor, ...]], *given: np.ndarray
    ) -> list[np.ndarray]:
        if os.getpid() != self._process:
            self._work_in_fork()
        layout = torch.channels_last
        inputs = (torch.from_numpy(x).to(self.device, memory_format=layout) for x in given)
        try:
            return [found.cpu().numpy() for found in predict(*inputs)]
        except RuntimeError as error:
            if "out of memory" in str(error) or "allocate memory" in str(error):  # on a CPU
                raise MemoryError(str(error)) from error
            raise


def choose_device(name: str = "auto") -> str:
    """Return torch's name of a device that is there; ``auto`` takes the best one.

    Raises:
        UsageError: the device is not there.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        if found is None:
            return "cpu"
        # Where torchrun has started several processes, each takes a device of its own.
        return f"{found.type}:{local_rank() % torch.accelerator.device_count()}"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"device {name}: not here ({str(error).splitlines()[0]})") from error
    return name
