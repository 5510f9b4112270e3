"""Colouring of films: from file to file, whole or not at all, going on where it was."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from pix2color.errors import HasColorError, ImageError, UsageError
from pix2color.files import hash_bytes, replacing
from pix2color.inference.adjust import ChromaStatistics, with_statistics
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.film_options import CONTAINERS, FilmOptions
from pix2color.inference.hints import FilmHint
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.video.coloring import ColoredFrame, FilmColorizer, FilmState
from pix2color.inference.video.encode import (
    Encoding,
    PieceWriter,
    check_container,
    choose_encoding,
    join_pieces,
)
from pix2color.inference.video.film import Film
from pix2color.inference.video.hints import track_hints
from pix2color.inference.video.pieces import Pieces, flush
from pix2color.inference.video.planes import luma_of
from pix2color.progress import Progress, track

_PIECE_FRAMES = 240  # at least: what a kill costs
_IDENTITY_BYTES = 1 << 20  # of a film's start and end, which tell it from others
_NOTE = "Colours by pix2color, which guesses them"
PREVIEW_NOTE = f"{_NOTE} (preview "
"""How the comment of a preview begins, which the whole film may replace."""
_DEFAULTS, _FILM_DEFAULTS = ColorizeOptions(), FilmOptions()


def colorize_video(
    source: Path | str,
    target: Path | str,
    colorizer: Colorizer | None = None,
    options: ColorizeOptions = _DEFAULTS,
    film_options: FilmOptions = _FILM_DEFAULTS,
    *,
    hints: Sequence[FilmHint] = (),
) -> list[str]:
    """Colour a film.

    Only U and V are written: the luma stays as it is, but for what the codec loses. Audio,
    subtitles and other pictures are copied. If it is stopped, the same call goes on where it was.

    Args:
        source: the film, of any kind that FFmpeg reads.
        target: where the coloured film goes, such as .mp4, .mov, .mkv or .webm; it is replaced.
        colorizer: the model; by default the one that ships.
        options: how; those that concern picture files are not used.
        film_options: how it is kept still, and written.
        hints: what is known about its colours.

    Returns:
        What a person should know.

    Raises:
        HasColorError: the film has colour already, and ``options.force`` is not set.
        ImageError: it cannot be read, or is damaged.
        MissingPathError: there is no such file.
        ModelError: the network gave no colours.
        StorageError: the target cannot be written.
        UsageError: the target's ending or codec cannot hold it, or a hint lies outside of it.
    """
    source, target = Path(source), Path(target)
    check_target(source, target)
    colorizer, options = colorizer or Colorizer.load(), with_statistics(options)
    with Film(source) as film:
        if not options.force and film.has_color():
            raise HasColorError(
                f"{source}: has colour already and was left alone; --force colours it"
            )
        mark = made_by(source, colorizer, options, film_options, hints)
        pieces = Pieces(target, mark)
        with (
            _tidy(film, pieces),
            track("colorize", *_amount(film, film_options), begun=pieces.last()[1]) as progress,
        ):
            notes = _color(film, colorizer, options, film_options, hints, pieces, progress)
            with progress.during("joining"), replacing(target) as path:
                notes += join_pieces(
                    pieces.paths,
                    film,
                    path,
                    target.suffix,
                    mark,
                    film_options.preview,
                    options.keep_metadata,
                )
                flush(path)
        pieces.remove()
        return notes


def colorize_frames(
    source: Path | str,
    colorizer: Colorizer | None = None,
    options: ColorizeOptions = _DEFAULTS,
    film_options: FilmOptions = _FILM_DEFAULTS,
    *,
    hints: Sequence[FilmHint] = (),
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the frames of a film in colour: seconds from its start, and RGB, uint8 (H, W, 3).

    They are as they are coded: of a film that players turn, they are not turned. Arguments and
    errors are those of ``colorize_video``.
    """
    colorizer, options = colorizer or Colorizer.load(), with_statistics(options)
    source = Path(source)
    found = track_hints(source, hints, colorizer.render_size(options)) if hints else {}
    with Film(source) as film:
        coloring = FilmColorizer(
            colorizer,
            options,
            steady=film_options.steady,
            hints=found,
            depth=8,
            subsampling=(1, 1),
            pixel_aspect=film.pixel_aspect,
        )
        for frame in coloring.run(_until(film, None, film_options.preview)):
            yield film.seconds_at(frame.pts), frame.to_frame("yuv444p").to_ndarray(format="rgb24")


def check_target(source: Path, target: Path) -> None:
    """Check that a coloured film can go to a place.

    Raises:
        UsageError: its ending is none of a container's, or it is the film itself.
    """
    if target.suffix.lower() not in CONTAINERS:
        endings = ", ".join(sorted(CONTAINERS))
        raise UsageError(f"{target}: has an ending that films are not written with; use {endings}")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target}: is the film itself; choose another name")


def made_by(
    source: Path,
    colorizer: Colorizer,
    options: ColorizeOptions,
    film_options: FilmOptions,
    hints: Sequence[FilmHint],
) -> str:
    """Return the comment that a coloured film carries; its hash tells all that has made it."""
    with source.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _IDENTITY_BYTES))
        end = file.read()
        file.seek(0)
        identity = hash_bytes(file.read(_IDENTITY_BYTES) + end)
    like = options.like
    if isinstance(like, ChromaStatistics):
        like = f"{like.mean!r} {like.covariance!r}"
    look = (options.saturation, options.temperature, like, options.tta, options.keep_metadata)
    model = (colorizer.info.sha256, colorizer.render_size(options))
    settings = f"{size} {identity} {model} {look} {film_options} {tuple(hints)}"
    note = f"{_NOTE} (" if film_options.preview is None else PREVIEW_NOTE
    return f"{note}{hash_bytes(settings.encode())[:32]})"


@contextmanager
def _tidy(film: Film, pieces: Pieces) -> Iterator[None]:
    """Leave no empty folder of pieces, and turn what FFmpeg says into an error about the film."""
    try:
        yield
    except av.FFmpegError as error:
        raise ImageError(f"{film.path}: cannot be coloured ({error.strerror})") from error
    finally:
        if not pieces.paths:
            pieces.remove()


def _color(
    film: Film,
    colorizer: Colorizer,
    options: ColorizeOptions,
    film_options: FilmOptions,
    hints: Sequence[FilmHint],
    pieces: Pieces,
    progress: Progress,
) -> list[str]:
    """Encode the pieces that are missing; return what a person should know."""
    first = luma_of(film.first_frame())
    codec = film_options.codec
    encoding = choose_encoding(codec, film_options.crf, first.plane.shape, first.depth)
    check_container(film, encoding, pieces.target.suffix)
    after, done, state = pieces.last()
    found = {}
    if hints:
        with progress.during("following hints"):
            found = track_hints(film.path, hints, colorizer.render_size(options))
    coloring = FilmColorizer(
        colorizer,
        options,
        steady=film_options.steady,
        hints=found,
        depth=encoding.depth,
        subsampling=encoding.subsampling,
        pixel_aspect=film.pixel_aspect,
    )
    frames = coloring.run(_until(film, after, film_options.preview), state)
    for frame in frames:
        rest = itertools.chain([frame], frames)
        pieces.add(functools.partial(_encode, rest, film, encoding, done, progress))
        done = pieces.last()[1]
    lost = first.depth - encoding.depth
    return [f"{codec} has {encoding.depth} bits, the film {first.depth}"] if lost else []


def _encode(
    frames: Iterator[ColoredFrame],
    film: Film,
    encoding: Encoding,
    done: int,
    progress: Progress,
    path: Path,
) -> tuple[int, int, FilmState]:
    """Encode a piece; return the time of its last frame, the frames done by then, the state."""
    with PieceWriter(path, film, encoding) as piece:
        for count, frame in enumerate(frames, start=1):
            piece.write(frame)
            progress(done + count)
            if count >= _PIECE_FRAMES and frame.state is not None:
                break
    return frame.pts, done + count, frame.state or FilmState()


def _until(film: Film, after: int | None, seconds: float | None) -> Iterator[av.VideoFrame]:
    frames = film.frames(after)
    if seconds is None:
        return frames
    return itertools.takewhile(lambda frame: film.seconds_at(frame.pts) < seconds, frames)


def _amount(film: Film, options: FilmOptions) -> tuple[float, str]:
    seconds = min(film.seconds, options.preview or film.seconds)
    return max(1, round(seconds * film.rate)), "frames"
