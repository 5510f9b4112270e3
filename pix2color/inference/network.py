"""Networks that predict colour, run by torch or onnxruntime behind one protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from pix2color.color.lab import lightness, rgb_to_l_ab
from pix2color.errors import ModelError, UsageError
from pix2color.inference.network_input import ReducedPhoto, restore_contrast, stack, stack_hints
from pix2color.inference.options import BACKENDS
from pix2color.models.base import Generator
from pix2color.models.model_file import ModelInfo, load_model
from pix2color.models.precision import computes_in_bf16
from pix2color.processes import local_rank


class Network(Protocol):
    """A function from L (N, 1, H, W) to ab (N, 2, H, W), both float32 on the CPU.

    One that takes hints can be given them besides, (N, 3, H, W); see ``models.base.Generator``.
    One that gives its doubt has another function ``doubt``; see ``TorchNetwork``.
    """

    def __call__(self, L: Tensor, /, *hints: Tensor) -> Tensor: ...


def load_network(path: Path, device: str, backend: str) -> tuple[Network, ModelInfo, str]:
    """Load a network that is ready to run.

    Args:
        path: of a run folder or a model file.
        device: ``auto`` (the best at hand), ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …
        backend: one of ``BACKENDS``; ``onnx`` runs on the CPU whatever the device.

    Returns:
        the network, the header of its model file, and the device that it runs on.

    Raises:
        MissingPathError: nothing is there.
        ModelError: it is no model of ours, or damaged.
        UsageError: the device is not there, or the backend unknown.
        MissingExtraError: onnxruntime is not installed.
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend {backend!r} is unknown; there are {' and '.join(BACKENDS)}")
    if backend == "onnx":
        from pix2color.models.onnx_graph import load_onnx

        return *load_onnx(path), "cpu"
    device = choose_device(device)
    generator, info = load_model(path)
    return TorchNetwork(generator, device), info, device


class TorchNetwork:
    """A generator as a network, computing in bf16 where the hardware does.

    Args:
        generator: moved to the device.
        device: torch's name of it.
    """

    def __init__(self, generator: Generator, device: str) -> None:
        half = computes_in_bf16(torch.device(device).type)
        self.dtype, self.device = torch.bfloat16 if half else torch.float32, device
        self.generator = cast("Any", generator.eval())
        self.generator.to(device, self.dtype)
        self.generator.to(memory_format=torch.channels_last)

    def __call__(self, *given: Tensor) -> Tensor:
        return self._run(self.generator, given)

    def doubt(self, *given: Tensor) -> Tensor:
        """Return how far the ab is expected to be from the truth, (N, 1, H, W), in its units."""
        return self._run(self.generator.predict_doubt, given)

    def _run(self, predict: Callable[..., Tensor], given: tuple[Tensor, ...]) -> Tensor:
        layout = torch.channels_last
        inputs = (x.to(self.device, self.dtype, memory_format=layout) for x in given)
        return predict(*inputs).float().cpu()


def choose_device(name: str) -> str:
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


def use_one_thread() -> None:
    """Let the network compute alone in this thread.

    On a CPU, threads that each serve one photo get more done than threads that share one.
    """
    torch.set_num_threads(1)


def network_inputs(batch: list[ReducedPhoto]) -> list[Tensor]:
    """Return L (N, 1, H, W) and, if there are any, hints (N, 3, H, W) of one ``group``'s photos."""
    contrasty = np.stack([restore_contrast(picture) for picture in stack(batch)])
    L = torch.from_numpy(lightness(contrasty))[:, None]
    painted = stack_hints(batch)
    if painted is None:
        return [L]
    _, ab = rgb_to_l_ab(torch.from_numpy(painted[:, :3]))
    mask = torch.from_numpy(painted[:, 3:] > 0).float()
    return [L, torch.cat([ab * mask, mask], dim=1)]


def predict_colors(network: Network, *inputs: Tensor, tta: bool = False) -> Tensor:
    """Return the ab (N, 2, H, W) that a network predicts.

    Args:
        network: predicts it.
        inputs: L, and hints if there are any.
        tta: average over the pictures and their mirror images.

    Raises:
        ModelError: they are too large for the memory, or the network gave no numbers.
    """
    try:
        ab = network(*inputs)
        if tta:
            mirrored = network(*(x.flip(3) for x in inputs))
            ab = (ab + mirrored.flip(3)) / 2
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise ModelError("out of memory; a smaller --render-size needs less") from error
    if not ab.sum().isfinite():
        raise ModelError("the model gave no colours (NaN); it is damaged, or badly trained")
    return ab


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether an error of a network means that the memory did not suffice."""
    text = str(error)
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in text
        or "allocate memory" in text  # torch's words for it on a CPU
    )
