"""Everything a run needs to go on exactly, in files that are whole or not there.

A checkpoint is a folder ``checkpoints/step-…`` with one file of tensors and plain values. It is
written under a temporary name and renamed, and read with ``weights_only=True``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from pix2color.errors import ModelError
from pix2color.models.pickles import load_tensors

_FILE = "state.pt"


def save(folder: Path, step: int, state: dict[str, Any], *, keep: int) -> Path:
    """Write ``state`` as the checkpoint of ``step``; the ``keep`` newest ones stay.

    Returns:
        Its folder.
    """
    place = folder / f"step-{step:08d}"
    temporary = folder / f".{place.name}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with (temporary / _FILE).open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(place, ignore_errors=True)
    temporary.rename(place)
    for old in _all(folder)[:-keep]:
        shutil.rmtree(old)
    return place


def load_newest(folder: Path) -> dict[str, Any]:
    """The state of the newest checkpoint.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    places = _all(folder)
    if not places:
        raise ModelError(
            f"{folder}: no checkpoint to go on from; the run ended before its first one, start anew"
        )
    try:
        return load_tensors(places[-1] / _FILE)
    except ModelError as error:
        raise ModelError(f"{error}; delete its folder to go on from the one before") from error


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
