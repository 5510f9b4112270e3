"""Films as they are read: their frames in order, and what else is in the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from pix2color.errors import ImageError, MissingPathError
from pix2color.imaging.damage import is_tolerated
from pix2color.imaging.grayscale import gray_photo

_SAMPLES = 24  # frames that are looked at for colour
_COLORFUL = 0.1  # share of them that makes a film one in colour
_THUMBNAIL = 256
_TELLS_ITS_LENGTH = {"mov", "mp4", "matroska", "webm", "avi", "flv", "asf"}
_BROADCAST = {"mpeg", "mpegts"}
_MISSING = (1.0, 0.02)  # seconds, and share, by which a whole film may be shorter than it says


class Film:
    """A film that is open for reading; a context manager.

    Attributes:
        path: of the file.
        container: as PyAV has opened it.
        stream: the one that is coloured, the first that is no cover picture.

    Args:
        path: of a file of any kind that FFmpeg knows.

    Raises:
        MissingPathError: there is no such file.
        ImageError: it cannot be read, or has no moving pictures.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingPathError(f"{path}: no such file")
        self.path = path
        try:
            self.container = av.open(str(path), metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ImageError(f"{path}: cannot be read as a film ({_said(error)})") from error
        films = [s for s in self.container.streams.video if not _is_cover(s) and s.codec_context]
        if not films:
            self.close()
            raise ImageError(f"{path}: has no moving pictures that can be read")
        self.stream = films[0]
        self.stream.thread_type = "AUTO"

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    @property
    def rate(self) -> Fraction:
        """The mean number of frames a second."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(25)

    @property
    def seconds(self) -> float:
        """How long the film says it is; 0 if it does not say."""
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        return (self.container.duration or 0) / av.time_base

    @property
    def clock(self) -> Fraction:
        """What the file's clock shows as it starts, in seconds: broadcasts do not begin at zero."""
        if not _BROADCAST & set(self.container.format.name.split(",")):
            return Fraction(0)
        return Fraction(self.container.start_time or 0, av.time_base)

    @property
    def pixel_aspect(self) -> float:
        """How much wider than high a pixel is."""
        return float(self.stream.sample_aspect_ratio or 1) or 1.0

    def seconds_at(self, pts: int) -> float:
        """Return a frame's time in seconds from the start of the film."""
        return float((pts - (self.stream.start_time or 0)) * self.stream.time_base)

    def seconds_of(self, packet: av.Packet) -> float:
        """Return when a packet is decoded, in seconds from the start of the film."""
        start = (self.stream.start_time or 0) * self.stream.time_base
        return float((packet.dts or 0) * packet.time_base - start)

    def first_frame(self) -> av.VideoFrame:
        """Return the first frame, without moving on.

        Raises:
            ImageError: there is none that can be read.
        """
        with Film(self.path) as other:
            return next(other.frames())

    def frames(self, after: int | None = None) -> Iterator[av.VideoFrame]:
        """Yield the frames in the order in which they are shown, each later than the last.

        Args:
            after: begin with the frame behind this time, in units of the stream's time base.

        Raises:
            ImageError: the film is damaged, or ends before its time, unless what is truncated is
                allowed (see ``imaging.io.reading_limits``).
        """
        last, shape = None, None
        for frame in self._decoded(after):
            if shape not in (None, (frame.width, frame.height)):
                raise ImageError(f"{self.path}: its frames change their size; cut it there first")
            shape = frame.width, frame.height
            pts = frame.pts
            if pts is None or (last is not None and pts <= last):
                pts = 0 if last is None else last + max(1, frame.duration or self._frame_time())
                frame.pts = pts
            last = pts
            if after is None or pts > after:
                yield frame
        if last is None:
            raise ImageError(f"{self.path}: has no frame that can be read")
        self._check_length(last)

    def has_color(self) -> bool:
        """Return whether more than a tenth of its frames have colour; being toned is none."""
        if self.stream.format.name.startswith("gray"):
            return False
        with Film(self.path) as other:
            looks = [gray_photo(_thumbnail(frame)) for frame in other._samples()]
        return sum(look.has_color for look in looks) > _COLORFUL * len(looks)

    def _samples(self) -> Iterator[av.VideoFrame]:
        """Yield frames from all over the film."""
        length = self.stream.duration or int(self.seconds / self.stream.time_base)
        for number in range(_SAMPLES):
            try:
                if length:
                    start = self.stream.start_time or 0
                    self.container.seek(start + length * number // _SAMPLES, stream=self.stream)
                yield next(self.container.decode(self.stream))
            except (av.FFmpegError, StopIteration):
                continue

    def _decoded(self, after: int | None) -> Iterator[av.VideoFrame]:
        if after is not None:
            self.container.seek(after, stream=self.stream)
            first = next(self._decode(), None)
            # Where an index is missing or wrong, it is found by going there.
            exact = first is not None and first.pts is not None and first.pts <= after
            self.container.seek(after if exact else self.stream.start_time or 0, stream=self.stream)
        yield from self._decode()

    def _decode(self) -> Iterator[av.VideoFrame]:
        try:
            yield from self.container.decode(self.stream)
        except (av.FFmpegError, OSError, ValueError) as error:
            if not is_tolerated():
                raise ImageError(
                    f"{self.path}: is damaged ({_said(error)}); --allow-truncated colours it as "
                    "far as it goes"
                ) from error

    def _check_length(self, last: int) -> None:
        """Check that the file holds about as much as it says, if pictures end before it does."""
        known = _TELLS_ITS_LENGTH & set(self.container.format.name.split(","))
        if not known or not self.container.duration or is_tolerated():
            return
        said = self.container.duration / av.time_base
        missing = max(_MISSING[0] + 1 / self.rate, _MISSING[1] * said)
        if said - self.seconds_at(last) > missing and said - self._end() > missing:
            raise ImageError(
                f"{self.path}: ends after {self.seconds_at(last):.1f} of {said:.1f} seconds; "
                "--allow-truncated colours it as far as it goes"
            )

    def _end(self) -> float:
        """Return when the last packet of any stream is over, in seconds from the start."""
        end = 0.0
        with contextlib.suppress(av.FFmpegError, OSError), av.open(str(self.path)) as file:
            for packet in file.demux():
                if packet.dts is not None:
                    duration = float((packet.duration or 0) * packet.time_base)
                    end = max(end, self.seconds_of(packet) + duration)
        return end

    def _frame_time(self) -> int:
        return round(1 / (self.rate * self.stream.time_base))


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _thumbnail(frame: av.VideoFrame):  # type: ignore[no-untyped-def]
    scale = min(1, _THUMBNAIL / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    return frame.reformat(width=width, height=height, format="rgb24").to_image()


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
