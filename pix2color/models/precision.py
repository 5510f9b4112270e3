"""The choice between bf16 and float32."""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor, nn

_PICTURES, _STEPS = 4, 3


def computes_in_bf16(device: str) -> bool:
    """Return whether bf16 is computed, not imitated, which would be slower than float32.

    Args:
        device: ``cpu``, ``cuda`` or another type that torch knows.
    """
    if device == "cpu":
        return torch.cpu._is_avx512_bf16_supported()
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def faster_precision(generator: nn.Module, side: int) -> str:
    """Return ``bf16`` or ``float32``, in which a step of training takes less time on this CPU.

    Depthwise convolutions gain nothing from bf16 there, dense ones much. Both are measured, on a
    copy, where the CPU computes in bf16 at all.

    Args:
        generator: takes L (N, 1, H, W).
        side: of the pictures it will be trained on, in pixels.
    """
    if not computes_in_bf16("cpu"):
        return "float32"
    with torch.random.fork_rng(devices=[]):
        network = copy.deepcopy(generator).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        L = torch.zeros(_PICTURES, 1, side, side)
        seconds = {name: _step_seconds(network, L, name == "bf16") for name in ("float32", "bf16")}
    return min(seconds, key=seconds.__getitem__)


def _step_seconds(network: nn.Module, L: Tensor, half: bool) -> float:
    """Return the shortest time of a forward and a backward pass, the first not counted."""
    found = []
    for _ in range(_STEPS + 1):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            ab = network(L)
        ab.float().mean().backward()
        found.append(time.perf_counter() - start)
    return min(found[1:])
