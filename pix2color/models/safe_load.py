"""Reading files of tensors without running code from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pix2color.errors import ModelError


def load_tensors(path: Path) -> Any:
    """Load a file written by ``torch.save``: tensors and plain values, on the CPU.

    Raises:
        ModelError: it holds anything else, or is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged files torch's unpickler raises whatever comes up
        raise ModelError(f"{path}: damaged, or no file of tensors alone; not loaded") from error


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """Load the state dict of a network: safetensors, or a file written by ``torch.save``.

    It may lie under the key ``state_dict``, as in checkpoints; what is no state dict is empty.

    Raises:
        ModelError: the file is damaged, or holds more than tensors and plain values.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ModelError(f"{path}: no safetensors file, or damaged") from error
    state = load_tensors(path)
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    return state if isinstance(state, dict) else {}
