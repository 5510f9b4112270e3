"""What became of the photos of a job."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pix2color.errors import ImageError

_EXIT_SOME_FAILED = 3

# The values are part of the command's JSON.
COLORED, DONE, HAS_COLOR, KEPT, FAILED = "coloured", "done", "has colour", "kept", "failed"


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


def exit_code(results: list[PhotoResult]) -> int:
    """Return the exit code of a command that colours photos: 0 none failed, 3 some did, 1 all."""
    failed = sum(result.status == FAILED for result in results)
    if not failed:
        return 0
    return _EXIT_SOME_FAILED if failed < len(results) else ImageError.exit_code
