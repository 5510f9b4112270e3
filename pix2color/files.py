"""Files: written whole or not at all, hashed, cleared of what killed processes left; our model."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2color.errors import StorageError
from pix2color.processes import is_running

SHIPPED_MODELS = ("default", "open")
"""Names of the models that come with the package, each for colouring and for training on."""
_HOST = "".join(c for c in socket.gethostname() if c.isalnum())  # folders may be shared


def write_bytes(path: Path, data: bytes, before_rename: Callable[[], None] | None = None) -> None:
    """Write a file; never leaves half of it.

    Args:
        path: of the file; folders are made.
        data: what it will hold.
        before_rename: called when all is written and only the name is missing.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
            if before_rename:
                before_rename()
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` that takes its place only if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_stale(folder: Path) -> None:
    """Remove the temporary files that killed processes of this machine have left in a folder."""
    for left in folder.glob(f".*.{_HOST}-*.part"):
        process = left.name.split("-")[-1].removesuffix(".part")
        if process.isdigit() and not is_running(int(process)):
            left.unlink(missing_ok=True)


def hash_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def coloring_model(text: str | Path) -> Path:
    """Return the model that colours photos: a path, or the name of one that ships with us.

    A file or folder that is called so is given as ``./default``, which only a string can tell.
    """
    return _shipped(text, ".onnx")


def starting_model(text: str | Path) -> Path:
    """Return the model that a training starts from; see ``coloring_model``."""
    return _shipped(text, ".safetensors")


def _shipped(text: str | Path, ending: str) -> Path:
    return Path(__file__).with_name(f"{text}{ending}") if text in SHIPPED_MODELS else Path(text)
