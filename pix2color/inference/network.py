"""What predicts colours: a network that torch or onnxruntime runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pix2color.models.base import Generator
from pix2color.models.precision import computes_in_bf16

Network = Callable[[Tensor], Tensor]
"""Predicts ab (N, 2, H, W) from L (N, 1, H, W), both float32 on the CPU."""

DEFAULT_MODEL = Path(__file__).parents[1] / "default.safetensors"


def torch_network(generator: Generator, device: str) -> Network:
    """A generator as a function, in bf16 where the hardware computes in it."""
    half = computes_in_bf16(torch.device(device).type)
    dtype = torch.bfloat16 if half else torch.float32
    generator = generator.eval().to(device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def network(L: Tensor) -> Tensor:
        L = L.to(device, dtype, memory_format=torch.channels_last)
        return generator(L).float().cpu()

    return network
