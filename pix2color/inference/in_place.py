"""Replacing of photos by their colour versions: originals are kept, files stay the same files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2color.errors import ImageError, StorageError
from pix2color.files import flush_to_disk, write_bytes


class ChangedError(ImageError):
    """The error of a photo that was saved anew while it was being coloured."""


def replace_photo(
    photo: Path,
    original: bytes,
    data: bytes,
    backup: Path,
    *,
    record: Callable[[], None],
    was_replaced: Callable[[], bool],
) -> None:
    """Replace a photo, once its original is safe on the disk.

    Links are followed. Mode, times, ownership and further names of the file stay as they are.

    Args:
        photo: to be replaced.
        original: its content, as it was read.
        data: its new content.
        backup: where the original is kept.
        record: called when only the replacing itself is missing.
        was_replaced: tells whether another job has replaced it, and needs the backup.

    Raises:
        ChangedError: it has another content by now, and keeps it.
        ImageError: another photo is in the place of the backup.
        StorageError: something cannot be written; the photo is as it was.
    """
    target = photo.resolve()

    def check() -> None:
        if target.read_bytes() != original:
            raise ChangedError(
                f"{photo}: was saved anew while it was being coloured, and is left as it is; "
                "run the same command again"
            )
        record()

    with _backed_up(target, original, backup, was_replaced):
        if _can_be_renamed_over(target):
            write_bytes(target, data, check, like=target, flush=True)
        else:
            _write_into(target, data, check)


@contextmanager
def _backed_up(
    target: Path, original: bytes, backup: Path, was_replaced: Callable[[], bool]
) -> Iterator[None]:
    """Keep the original, unless the photo turns out to have changed otherwise."""
    new = not backup.exists()
    if new:
        write_bytes(backup, original, like=target, flush=True)
    elif backup.read_bytes() != original:
        raise ImageError(f"{backup}: another photo is there; choose another --backup")
    try:
        yield
    except ChangedError:
        # It would be in the way of the photo as it is now.
        if new and not was_replaced() and backup.read_bytes() == original:
            backup.unlink()
        raise


def _can_be_renamed_over(path: Path) -> bool:
    """Return whether a new file can take a file's place and be like it."""
    status = path.stat()
    if status.st_nlink > 1:  # its other names would keep the old content
        return False
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return True
    groups = {os.getegid(), *os.getgroups()}
    return status.st_uid == os.geteuid() and status.st_gid in groups


def _write_into(path: Path, data: bytes, check: Callable[[], None]) -> None:
    """Give a file new content without a moment in which it is another file.

    A kill in that moment leaves half a photo there, and the whole one in the backup.
    """
    try:
        times = path.stat()
        with path.open("r+b") as file:
            check()
            file.write(data)
            file.truncate()
        flush_to_disk(path)
        with contextlib.suppress(PermissionError):  # somebody else's
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error
