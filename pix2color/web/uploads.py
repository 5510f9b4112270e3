"""The files that were sent to the page, until a session claims them."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pix2color.errors import ImageError, UsageError
from pix2color.imaging.io import file_format, output_path

_UNCLAIMED_SECONDS = 600


@dataclass(frozen=True)
class Upload:
    """A file that was sent and belongs to no session yet.

    Attributes:
        path: where it is.
        name: as its sender called it.
        refusal: why it was not kept; empty if it was.
        since: when it came, by the monotonic clock.
    """

    path: Path
    name: str
    refusal: str = ""
    since: float = field(default_factory=time.monotonic)


class Uploads:
    """The store of files that were sent, under handles that name no file, until they are claimed.

    Args:
        folder: for them.
        max_bytes: of a file; of a larger one only its name is kept.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._by_handle: dict[str, Upload] = {}

    def keep(self, name: str, file: BinaryIO, size: int) -> str:
        """Take a copy of a file of ``size`` bytes, and give the handle that claims it."""
        handle = secrets.token_urlsafe(16)
        path, refusal = self.folder / handle, ""
        if size > self.max_bytes:
            refusal = f"larger than {self.max_bytes >> 20} MiB"
        else:
            try:
                with path.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        self._by_handle[handle] = Upload(path, name, refusal)
        return handle

    def claim(self, handle: str) -> Upload:
        """Return what was sent; whoever claims it has to move or to remove the file.

        Raises:
            UsageError: nothing was, or it was claimed or removed before.
        """
        upload = self._by_handle.pop(handle, None)
        if upload is None:
            raise UsageError("these photos are not here any more; drop them again")
        return upload

    def remove_unclaimed(self, seconds: float = _UNCLAIMED_SECONDS) -> None:
        """Remove the files that nobody has claimed for so many seconds."""
        oldest = time.monotonic() - seconds
        for handle, upload in list(self._by_handle.items()):
            if upload.since < oldest and self._by_handle.pop(handle, None) is not None:
                upload.path.unlink(missing_ok=True)


def sanitize(name: str) -> str:
    """Return a file name without what has a meaning to some system, with an ending we can write."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name).strip(" .")[-120:] or "photo.jpg"
    try:
        file_format(Path(name))
    except ImageError:
        name += ".jpg"
    return output_path(Path(name)).name
