"""The choice between bf16 and float32."""

from __future__ import annotations

import torch


def computes_in_bf16(device: str) -> bool:
    """Return whether bf16 is computed, not imitated, which would be slower than float32.

    Args:
        device: ``cpu``, ``cuda`` or another type that torch knows.
    """
    if device == "cpu":
        return torch.cpu._is_avx512_bf16_supported()
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
