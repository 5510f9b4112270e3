"""Files: written whole or not at all, hashed, cleared of what killed processes left; models."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2color.errors import StorageError
from pix2color.processes import is_running

SHIPPED_MODELS = ("default", "open")
"""Names of the models that come with the package, each for colouring and for training on."""
LONGEST_NAME = 255
"""Bytes that the name of a file may have, on all usual systems."""
_HOST = "".join(c for c in socket.gethostname() if c.isalnum())  # folders may be shared
_DIGITS = 16  # of a hash, which stand for the name: with more around it, it would be too long


def write_bytes(
    path: Path,
    data: bytes,
    before_rename: Callable[[], None] | None = None,
    *,
    like: Path | None = None,
    flush: bool = False,
) -> None:
    """Write a file; never leaves half of it.

    Args:
        path: of the file; folders are made.
        data: what it will hold.
        before_rename: called when all is written and only the name is missing.
        like: a file whose mode, times and ownership it gets, as far as this process may give them.
        flush: return only when it is on the disk, name and all.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
            if flush:
                flush_to_disk(temporary)
            if like is not None:  # afterwards: it may be write-protected then
                copy_attributes(like, temporary)
            if before_rename:
                before_rename()
        if flush:
            flush_to_disk(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a table in UTF-8; never leaves half of it. Names of files have their own bytes in it.

    Raises:
        StorageError: it cannot be written.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` that takes its place only if the block succeeds."""
    name = hash_bytes(os.fsencode(path.name))[:_DIGITS]
    temporary = path.with_name(f".{name}.{_HOST}-{os.getpid()}.part")
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
            with contextlib.suppress(OSError):  # somebody else's, perhaps
                left.unlink(missing_ok=True)


def fitted_name(stem: str, tail: str) -> str:
    """Return ``stem + tail`` as a file's name; of a stem that is too long, the start and a hash."""
    if len(os.fsencode(stem + tail)) <= LONGEST_NAME:
        return stem + tail
    whole = os.fsencode(stem)
    tail = f"~{hash_bytes(whole)[:_DIGITS]}{tail}"
    return whole[: LONGEST_NAME - len(os.fsencode(tail))].decode(errors="ignore") + tail


def copy_attributes(source: Path, target: Path) -> None:
    """Give a file the mode, times and ownership of another, as far as this process may."""
    status = source.stat()
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):
            os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk."""
    if os.name == "nt" and path.is_dir():  # there, folders cannot be opened
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
