"""Model files: one ``.safetensors`` whose header holds all that rebuilds the network.

Reading one runs no code from it, opens no other file and downloads nothing, and no memory is taken
before its tensors are known to fit the network that its header asks for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pix2color.errors import ConfigError, ModelError, StorageError
from pix2color.files import hash_file, replacing
from pix2color.models.base import Generator
from pix2color.models.header import KEY, ModelInfo, locate_model, parse_header
from pix2color.models.registry import rebuild_generator, without_first_weights


def save_model(path: Path, generator: Generator, info: ModelInfo) -> None:
    """Write a generator with its header; never leaves half a file.

    Raises:
        StorageError: it cannot be written, for a full disk perhaps.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in generator.state_dict().items()}
    known = {
        "takes_hints": generator.takes_hints,
        "gives_doubt": generator.gives_doubt,
        "sha256": _digest(tensors),
    }
    header = json.dumps(asdict(info) | known)
    write_tensors(path, tensors, {KEY: header})


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write safetensors; never leaves half a file.

    Raises:
        StorageError: it cannot be written, for a full disk perhaps.
    """
    try:
        with replacing(path) as temporary:
            temporary.touch()
            mode = temporary.stat().st_mode
            save_file(tensors, temporary, metadata=metadata)
            temporary.chmod(mode)  # safetensors lets nobody else read what it writes
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{path}: cannot be written ({error}); free some space") from error


def load_model(run_or_file: Path) -> tuple[Generator, ModelInfo]:
    """Load the generator of a run folder or model file, in eval mode, on the CPU, and its header.

    Raises:
        MissingPathError: nothing is there.
        ModelError: it is not a model file of pix2color, or damaged.
    """
    path = locate_model(run_or_file)
    try:
        with safe_open(path, framework="np") as file:  # torch's way needs a name in UTF-8
            info = _read_info(path, (file.metadata() or {}).get(KEY))
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            _check_shapes(path, info, shapes)
            state = {name: torch.from_numpy(file.get_tensor(name)) for name in shapes}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: {_what_it_is(path)}") from error
    try:
        generator = rebuild_generator(info.architecture, info.options)
        generator.load_state_dict(state)
    except (ConfigError, TypeError, RuntimeError) as error:
        raise _misfit(path) from error
    if info.sha256 != _digest(state):
        raise ModelError(f"{path}: damaged, its tensors changed since they were written")
    if info.takes_hints > generator.takes_hints or info.gives_doubt > generator.gives_doubt:
        raise _misfit(path)
    return generator.eval(), info


def _read_info(path: Path, header: str | None) -> ModelInfo:
    if header is None:
        raise ModelError(f"{path}: tensors without pix2color's header; name a file it has written")
    info = parse_header(path, header)
    info.options = without_first_weights(info.options)
    return info


def _check_shapes(path: Path, info: ModelInfo, found: dict[str, tuple[int, ...]]) -> None:
    """Check that the network that a header asks for has the tensors of its file.

    It is laid out without memory: a header of a few bytes can ask for more than any machine has.

    Raises:
        ModelError: it has others.
    """
    try:
        with torch.device("meta"):
            network = rebuild_generator(info.architecture, info.options)
    except Exception as error:  # whatever the libraries raise on options that make no sense
        raise _misfit(path) from error
    if found != {name: tuple(value.shape) for name, value in network.state_dict().items()}:
        raise _misfit(path)


def _misfit(path: Path) -> ModelError:
    return ModelError(
        f"{path}: its tensors do not fit its header, or another version wrote it; "
        "export it again from its run"
    )


def model_hash(run_or_file: Path) -> str:
    """Return 16 digits that tell a model file from others.

    Raises:
        MissingPathError: nothing is there.
    """
    return hash_file(locate_model(run_or_file))[:16]


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _what_it_is(path: Path) -> str:
    """Return why a file is no model, for the person who thought it was one."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "is a web page, not a model; the download went wrong, fetch the file itself"
    if start.startswith((b"pk\x03\x04", b"\x80")):
        return (
            "is a pickle, which could run code and is not loaded; "
            "name a .safetensors file or a run folder of pix2color"
        )
    return "is not a model file, or damaged; name a .safetensors file or a run folder"
