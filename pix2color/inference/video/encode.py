"""Films as they are written: coloured frames encoded in pieces, and joined to all other streams."""

from __future__ import annotations

import heapq
import io
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from pix2color.errors import StorageError, UsageError
from pix2color.inference.film_options import CODECS, CONTAINERS
from pix2color.inference.video.coloring import ColoredFrame
from pix2color.inference.video.film import Film
from pix2color.inference.video.planes import luma_of

_ENCODERS = {
    "h264": ("libx264", {"preset": "fast"}),
    "hevc": ("libx265", {"preset": "fast", "x265-params": "log-level=error"}),
    "vp9": ("libvpx-vp9", {"b": "0", "row-mt": "1", "cpu-used": "4"}),
    "av1": ("libsvtav1", {"preset": "8"}),
    "ffv1": ("ffv1", {"level": "3", "slicecrc": "1"}),
}
_PIECES = "mp4"  # keeps all of the codecs, and times exactly
_CARRIED = ("audio", "subtitle", "video", "attachment")
_KEPT_COLORS = ("color_primaries", "color_trc")


@dataclass(frozen=True)
class Encoding:
    """How coloured frames are encoded.

    Attributes:
        encoder: FFmpeg's name of it.
        options: of the encoder.
        layout: its pixel format.
        depth: bits of the pixel format.
        subsampling: of chroma, across and down.
    """

    encoder: str
    options: dict[str, str]
    layout: str
    depth: int
    subsampling: tuple[int, int]


def choose_encoding(codec: str, crf: int | None, shape: tuple[int, int], depth: int) -> Encoding:
    """Return the encoding of frames.

    Their chroma is half as fine, but where a side is odd, which encoders do not take.

    Args:
        codec: a key of ``CODECS``.
        crf: its constant rate factor; None: the codec's own default.
        shape: (H, W) of the frames.
        depth: bits of their luma; the encoder may have fewer.

    Raises:
        UsageError: the codec is not there, or cannot have such frames.
    """
    name, options = _ENCODERS[codec]
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells its life story otherwise
    try:
        known = {layout.name for layout in av.Codec(name, "w").video_formats or ()}
    except ValueError as error:
        raise UsageError(f"--codec {codec}: this PyAV has no {name}; choose another") from error
    down, across = (2 - side % 2 for side in shape)
    sampling = "444" if across == 1 else "422" if down == 1 else "420"
    for bits in (bits for bits in (16, 14, 12, 10, 9, 8) if bits <= depth):
        layout = f"yuv{sampling}p" + (f"{bits}le" if bits > 8 else "")
        if layout in known:
            rate = crf if crf is not None else CODECS[codec].crf
            quality = {} if rate is None else {"crf": str(rate)}
            size = (2 - (sampling == "444"), 2 - (sampling != "420"))
            return Encoding(name, options | quality, layout, bits, size)
    raise UsageError(f"--codec {codec}: does not take frames of {shape[1]} × {shape[0]}; h264 does")


class PieceWriter:
    """Encodes some frames in a row into a file of their own, whose times are the film's.

    It is a context manager, which in the end encodes what is left.

    Args:
        path: of the file.
        film: gives times, shape of pixels and colours.
        encoding: how.
    """

    def __init__(self, path: Path, film: Film, encoding: Encoding) -> None:
        source = film.stream.codec_context
        self._layout, self._stack = encoding.layout, ExitStack()
        self._file = self._stack.enter_context(av.open(str(path), "w", format=_PIECES))
        self._stream = self._file.add_stream(
            encoding.encoder, rate=film.rate, options=encoding.options
        )
        context = self._stream.codec_context
        context.width, context.height = source.width, source.height
        context.pix_fmt, context.time_base = encoding.layout, film.stream.time_base
        context.sample_aspect_ratio = film.stream.sample_aspect_ratio or 0
        for name in _KEPT_COLORS:
            setattr(context, name, getattr(source, name))

    def write(self, colored: ColoredFrame) -> None:
        """Encode one more frame."""
        frame = colored.to_frame(self._layout)
        context = self._stream.codec_context
        if not context.is_open:
            context.color_range, context.colorspace = frame.color_range, frame.colorspace
        frame.time_base = context.time_base
        self._file.mux(self._stream.encode(frame))

    def __enter__(self) -> PieceWriter:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self._file.mux(self._stream.encode(None))
        self._stack.close()


def check_container(film: Film, encoding: Encoding, ending: str) -> None:
    """Check, before the work, that a container can hold the coloured film and its other streams.

    Raises:
        UsageError: it cannot.
    """
    with av.open(io.BytesIO(), "w", format=CONTAINERS[ending.lower()]) as out:
        _add_streams(out, lambda: out.add_stream(encoding.encoder), film, ending, [])


def join_pieces(
    pieces: Sequence[Path],
    film: Film,
    target: Path,
    ending: str,
    comment: str,
    seconds: float | None = None,
    keep_metadata: bool = True,
) -> list[str]:
    """Write a film: the pieces' frames, and all other streams of the original as they are.

    Args:
        pieces: in order.
        film: the original.
        target: where it goes.
        ending: of the container's names, such as ``.mp4``.
        comment: is added to the film's own.
        seconds: where the other streams end; None: where they do.
        keep_metadata: carry over what is said of the film; languages are in any case.

    Returns:
        What a person should know.

    Raises:
        UsageError: the container cannot hold one of the streams.
        StorageError: it cannot be written.
    """
    notes: list[str] = []
    with ExitStack() as stack:
        first = stack.enter_context(av.open(str(pieces[0])))
        original = stack.enter_context(Film(film.path))
        out = stack.enter_context(av.open(str(target), "w", format=CONTAINERS[ending.lower()]))
        colored = first.streams.video[0]
        streams = _add_streams(out, lambda: _add_copy(out, colored), original, ending, notes)
        _describe(streams[original.stream.index], original)
        said = original.container.metadata if keep_metadata else {}
        said = {name.lower(): text for name, text in said.items()}  # Matroska has capitals
        out.metadata.update(said)
        out.metadata["comment"] = "\n".join(filter(None, (said.get("comment"), comment)))
        if keep_metadata:
            out.set_chapters(original.container.chapters())
            for index, stream in streams.items():
                stream.metadata.update(_said_of(original.container.streams[index]))
        packets = heapq.merge(
            _frames_of(pieces, streams[original.stream.index]),
            _others(original, streams, seconds),
            key=lambda packet: packet.dts * packet.time_base,
        )
        try:
            for packet in packets:
                out.mux_one(_moved(packet, -original.clock))
        except OSError as error:
            raise StorageError(f"{target}: cannot be written ({error.strerror})") from error
    return notes


def _add_streams(
    out: av.container.OutputContainer,
    add_colored: Callable[[], av.VideoStream],
    original: Film,
    ending: str,
    notes: list[str],
) -> dict[int, av.stream.Stream]:
    """Add the streams of a film in their order; return them by the original's index."""
    added = {}
    for source in original.container.streams:
        main = source.index == original.stream.index
        if source.type not in _CARRIED:
            notes.append(f"stream {source.index} ({source.type}) was left out")
            continue
        try:
            stream = add_colored() if main else _add_copy(out, source)
        except (ValueError, av.FFmpegError) as error:
            what = "the codec" if main else f"stream {source.index} ({source.type})"
            cure = f"ffmpeg -i {original.path.name} -c:v copy -c:a flac NAME.mkv, and take that"
            cure = cure if ending == ".mkv" else "--out NAME.mkv holds it"
            raise UsageError(
                f"{original.path}: {what} does not go into {ending}; {cure}"
            ) from error
        if "language" in source.metadata:
            stream.metadata["language"] = source.metadata["language"]
        stream.disposition = source.disposition
        added[source.index] = stream
    return added


def _add_copy(out: av.container.OutputContainer, source: av.stream.Stream) -> av.stream.Stream:
    if source.type == "attachment":
        return out.add_attachment(source.name or "", source.mimetype or "", source.data)
    return out.add_stream_from_template(source, opaque=True)


def _said_of(stream: av.stream.Stream) -> dict[str, str]:
    # Of timecodes FFmpeg would make a track of its own, which asks for more than we know.
    return {name: text for name, text in stream.metadata.items() if name != "timecode"}


def _moved(packet: av.Packet, seconds: Fraction) -> av.Packet:
    if seconds:
        ticks = round(seconds / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts += ticks
    return packet


def _frames_of(pieces: Sequence[Path], stream: av.stream.Stream) -> Iterator[av.Packet]:
    """Yield the packets of the pieces, each decoded later than the one before."""
    last = None
    for piece in pieces:
        with av.open(str(piece)) as file:
            for packet in file.demux(video=0):
                if packet.dts is None:
                    continue
                if last is not None and packet.dts <= last:
                    packet.dts = last + 1
                last = packet.dts
                packet.stream = stream
                yield packet


def _others(
    original: Film, streams: dict[int, av.stream.Stream], seconds: float | None
) -> Iterator[av.Packet]:
    copied = [
        stream
        for stream in original.container.streams
        if stream.index in streams
        and stream.index != original.stream.index
        and stream.type != "attachment"
    ]
    if not copied:
        return
    for packet in original.container.demux(copied):
        late = seconds is not None and original.seconds_of(packet) >= seconds
        if packet.dts is not None and not late:
            packet.stream = streams[packet.stream_index]
            yield packet


def _describe(stream: av.VideoStream, film: Film) -> None:
    """Say of a stream what players must know: how colours are coded, and which side is up."""
    frame = film.first_frame()
    luma = luma_of(frame)
    context = stream.codec_context
    context.color_range, context.colorspace = luma.color_range, luma.matrix
    for name in _KEPT_COLORS:
        setattr(context, name, getattr(film.stream.codec_context, name))
    matrix = frame.side_data.get("DISPLAYMATRIX")
    stream.set_display_matrix(matrix and struct.unpack("=9i", bytes(matrix)))
