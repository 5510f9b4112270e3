"""Options of films: names and limits. Nothing heavy is imported here, for ``--help``."""

from __future__ import annotations

from dataclasses import dataclass

from pix2color.errors import UsageError
from pix2color.inference.options import check_range


@dataclass(frozen=True)
class Codec:
    """A codec that coloured films can have.

    Attributes:
        crf: the constant rate factor that is used unless another is asked for; None: it has none.
        most: the highest.
    """

    crf: int | None
    most: int = 0


CODECS = {
    "h264": Codec(18, 51),
    "hevc": Codec(20, 51),
    "vp9": Codec(28, 63),
    "av1": Codec(28, 63),
    "ffv1": Codec(None),
}
"""The codecs; ``ffv1`` is lossless."""
CONTAINERS = {
    ".m4v": "mp4",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mp4",
    ".webm": "webm",
}
"""The endings of coloured films, and FFmpeg's names of the containers."""
_OPEN_CODECS = ("vp9", "av1")  # the only ones that WebM has
MAX_CRF = max(codec.most for codec in CODECS.values())


@dataclass(frozen=True)
class FilmOptions:
    """Options of a film beside those of colouring a picture.

    Attributes:
        codec: a key of ``CODECS``.
        crf: the constant rate factor: lower is better and larger; None: the codec's default.
        steady: keep colours still, along the motion; else each frame is coloured by itself.
        preview: end after so many seconds; None: colour all.

    Raises:
        UsageError: one of them is out of its range.
    """

    codec: str = "h264"
    crf: int | None = None
    steady: bool = True
    preview: float | None = None

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"codec: {self.codec} is none of {', '.join(CODECS)}")
        codec = CODECS[self.codec]
        if self.crf is not None and codec.crf is None:
            raise UsageError(f"crf: {self.codec} has none, it is lossless; leave it out")
        if self.crf is not None:
            check_range("crf", self.crf, 0, codec.most, whole=True)
        if self.preview is not None and not self.preview > 0:
            raise UsageError(f"preview: {self.preview} is no time in seconds")

    def ending(self, film: str) -> str:
        """Return the ending of a coloured film, from that of the film: its own if it can be."""
        own = film.lower()
        kept = own in CONTAINERS and (own != ".webm" or self.codec in _OPEN_CODECS)
        return film if kept else ".mkv"
