"""A folder job that goes on with whatever is new."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from pix2color.errors import MissingPathError
from pix2color.imaging.folders import describe_others
from pix2color.inference.folder_job import FolderJob
from pix2color.inference.photo_result import PhotoResult
from pix2color.progress import say

_SECONDS_BETWEEN_PASSES = 1.0


def watch(job: FolderJob) -> Iterator[PhotoResult]:
    """Colour whatever is new, pass after pass, for ever; yields the result of each photo.

    Folders may go away and come back. What cannot be done is named once.

    Raises:
        MissingPathError: a path is not there at the start.
    """
    for path in job.job.paths:
        if not path.exists():
            raise MissingPathError(f"{path}: no such file or folder")
    settled: dict[Path, tuple[int, int]] = {}
    before: dict[Path, tuple[int, int]] = {}
    told: set[str] = set()
    while True:
        found = job.plan(patient=True)
        away = [f"{path}: is away; waiting for it" for path in job.job.paths if not _is_there(path)]
        for message in (*away, describe_others(found.others)):
            if message and message not in told:
                say(message)
        for result in found.failed:
            if result.reason not in told:
                say(f"{result.status}: {result.reason}")
                yield result
        # What is away or cannot be done for a second time is named again.
        told = {*away, describe_others(found.others), *(result.reason for result in found.failed)}
        now = {photo.input: state for photo in found.photos if (state := _state(photo.input))}
        # A file that still grows is left for the next pass.
        new = [
            photo
            for photo in found.photos
            if photo.input in now
            and now[photo.input] == before.get(photo.input)
            and now[photo.input] != settled.get(photo.input)
        ]
        if new:
            yield from job.colorize(new)
            # In place, a photo has changed by being coloured.
            settled |= {photo.input: state for photo in new if (state := _state(photo.input))}
        before = now
        time.sleep(_SECONDS_BETWEEN_PASSES)


def _is_there(path: Path) -> bool:
    return os.path.exists(path)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
