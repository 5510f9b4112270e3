"""What became of the photos of a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pix2color.errors import (
    SOME_FAILED,
    HasColorError,
    ImageError,
    MissingExtraError,
    Pix2colorError,
    StorageError,
)
from pix2color.imaging.folders import is_film

# The values are part of the command's JSON.
COLORED, DONE, HAS_COLOR, KEPT, FAILED = "coloured", "done", "has colour", "kept", "failed"
_IN_SUMMARY = {
    DONE: "done before",
    HAS_COLOR: "left alone (they have colour)",
    KEPT: "left alone (another file is in their place)",
}


@dataclass
class PhotoResult:
    """The result of one photo of a job.

    Attributes:
        input: the photo.
        output: its colour version, if there is one.
        status: ``coloured``; ``done`` before; ``has colour`` and was left alone; ``kept``: the
            output is a file that was not written by this job; ``failed``.
        reason: why it was not coloured.
        notes: what a person should know about the reading.
        original: the photo as it was, if it was replaced.
        color: how much colour it had, by ``pix2color.imaging.color_measure``, if that was measured.
        doubtful: it may have been taken wrongly for a photo in colour, or for black-and-white.
    """

    input: Path
    output: Path | None
    status: str
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    original: Path | None = None
    color: float | None = None
    doubtful: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return all attributes as values for JSON."""
        places = {"input": self.input, "output": self.output, "original": self.original}
        return asdict(self) | {key: path and str(path) for key, path in places.items()}


class NotNeededError(Exception):
    """Ends a photo's way before the network has seen it, with its result."""

    def __init__(self, result: PhotoResult) -> None:
        self.result = result


def as_result(photo: Path, outcome: PhotoResult | Exception) -> PhotoResult:
    """Return the result of a photo, also of one at which something went wrong."""
    if isinstance(outcome, PhotoResult):
        return outcome
    return outcome.result if isinstance(outcome, NotNeededError) else _of_error(photo, outcome)


def _of_error(photo: Path, error: Exception) -> PhotoResult:
    if isinstance(error, HasColorError):
        color = error.color if error.color is None else round(error.color, 2)
        return PhotoResult(photo, None, HAS_COLOR, str(error), color=color, doubtful=error.doubtful)
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, StorageError):
        reason += "; make room there, or choose another folder"
    if isinstance(error, ImageError) and str(photo) not in reason:
        reason = f"{photo}: {reason}"
    elif not isinstance(error, (ImageError, MissingExtraError)):
        kind = "" if isinstance(error, Pix2colorError) else f"{type(error).__name__}: "
        reason = f"{photo}: not coloured ({kind}{reason})"
    return PhotoResult(photo, None, FAILED, reason)


def count_results(results: list[PhotoResult]) -> str:
    """Return in words how many photos had which result."""
    counts = Counter(result.status for result in results)
    films = sum(is_film(result.input) for result in results)
    what = "photos" if not films else "films" if films == len(results) else "photos and films"
    text = f"{counts[COLORED]} {what} coloured, {counts[FAILED]} failed"
    for status, words in _IN_SUMMARY.items():
        text += f", {counts[status]} {words}" if counts[status] else ""
    return text


def exit_code(results: list[PhotoResult]) -> int:
    """Return the exit code of a command that colours photos: 0 none failed, 3 some did, 1 all."""
    failed = sum(result.status == FAILED for result in results)
    if not failed:
        return 0
    return SOME_FAILED if failed < len(results) else ImageError.exit_code
