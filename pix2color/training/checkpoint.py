"""The checkpoints of a run: all that it needs to go on exactly, in files that are whole or absent.

A checkpoint is a folder ``checkpoints/step-…`` with one file of tensors and plain values, and one
with its checksum. It is written under a temporary name, read again with ``weights_only=True``, and
renamed; only then do older ones go.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from pix2color.errors import ModelError, StorageError
from pix2color.files import hash_file
from pix2color.models.safe_load import load_tensors
from pix2color.progress import say
from pix2color.training.run_folder import checkpoint_steps

_FILE = "state.pt"
_CHECKSUM = "state.pt.sha256"  # as sha256sum writes it
_FORMAT = 2  # of the state; another one is not gone on from


def save(
    folder: Path, step: int, state: dict[str, Any], *, newest: int, also: Collection[int] = ()
) -> None:
    """Write ``state`` as the checkpoint of ``step``.

    Args:
        folder: of the checkpoints.
        step: names it.
        state: tensors and plain values.
        newest: so many stay; older ones go.
        also: steps whose checkpoints stay however old they are.

    Raises:
        StorageError: it cannot be written, for a full disk perhaps; the others are as they were.
    """
    place = _place(folder, step)
    temporary = folder / f".{place.name}.part"
    for left in folder.glob(".step-*.part"):  # by a process that was killed
        shutil.rmtree(left)
    try:
        temporary.mkdir(parents=True)
        with (temporary / _FILE).open("wb") as file:
            torch.save({"format": _FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        load_tensors(temporary / _FILE)
        checksum = f"{hash_file(temporary / _FILE)}  {_FILE}\n"
        (temporary / _CHECKSUM).write_text(checksum, encoding="ascii")
        shutil.rmtree(place, ignore_errors=True)
        temporary.rename(place)
    except (OSError, RuntimeError, ModelError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = _all(folder)
        whole = f"{kept[-1].name} is whole; " if kept else ""
        raise StorageError(
            f"{place}: cannot be written ({_reason(error)}); {whole}free some space, then --resume"
        ) from error
    _prune(folder, place, newest, {f"step-{number:08d}" for number in also})


def load_newest(folder: Path) -> dict[str, Any]:
    """Return the state of the newest checkpoint that can be read; warn of damaged ones.

    Raises:
        ModelError: there is none.
    """
    places = _all(folder)
    if not places:
        raise ModelError(
            f"{folder}: no checkpoint to go on from; the run ended before its first one, start anew"
        )
    for place in reversed(places):
        try:
            return load(folder, int(place.name.removeprefix("step-")))
        except ModelError as error:
            last = error
            before = "; going on from the one before" if place != places[0] else ""
            say(f"warning: {error}{before}")
    raise ModelError(
        f"{folder}: none of its checkpoints can be read; start anew with another --name"
    ) from last


def load(folder: Path, step: int) -> dict[str, Any]:
    """Return the state of one checkpoint.

    Raises:
        ModelError: it cannot be read, is not as it was written, or is another version's.
    """
    path = _place(folder, step) / _FILE
    state = load_tensors(path)
    if state.pop("format", None) != _FORMAT:
        raise ModelError(f"{path}: was written by another version of pix2color")
    checksum = path.with_name(_CHECKSUM)  # those of earlier versions have none
    if checksum.is_file() and checksum.read_bytes()[:64] != hash_file(path).encode():
        raise ModelError(f"{path}: damaged, by its checksum")
    return state


def exists(folder: Path) -> bool:
    """Return whether there is any checkpoint."""
    return bool(_all(folder))


def _reason(error: BaseException) -> str:
    """Return an error in words; torch buries the system's own."""
    buried: BaseException | None = error
    while buried is not None:
        if isinstance(buried, OSError) and buried.strerror:
            return buried.strerror
        buried = buried.__context__
    return str(error).splitlines()[0]


def _prune(folder: Path, newest_place: Path, newest: int, stay: set[str]) -> None:
    places = _all(folder)
    now = places.index(newest_place) + 1
    given_up = places[now:]  # the run went on from a step before these
    old = [place for place in places[: max(0, now - newest)] if place.name not in stay]
    for place in given_up + old:
        shutil.rmtree(place)


def _all(folder: Path) -> list[Path]:
    return [_place(folder, step) for step in checkpoint_steps(folder)]


def _place(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"
