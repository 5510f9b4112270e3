"""Reading ``.pth`` and ``.pt`` files without running code from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

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
