"""A film's frames on their way: decoded, looked at, made steady, and joined to their colours."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import av
import numpy as np

from pix2color.imaging.grayscale import GrayPhoto
from pix2color.inference.adjust import ChromaStatistics, adjust, with_statistics
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.hints import Hint, paint_hints
from pix2color.inference.network_input import ReducedPhoto, seen_size
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.video.motion import Motion, MotionEstimator
from pix2color.inference.video.planes import Luma, colored_frame, luma_of
from pix2color.inference.video.scenes import LOOKAHEAD
from pix2color.inference.video.steady import SmallFrame, SteadyState, steady_colors
from pix2color.processes import cores

_BLOCK = 16  # frames that get their colours at once; as many are known ahead, and read ahead
_MAX_BYTES_HELD = 256 * 2**20  # of luma that waits for its colours; a block may be shorter


@dataclass(frozen=True)
class FilmState:
    """All that the colours of the next frames need of those before; see ``FilmColorizer``.

    Attributes:
        steady: of the smoothing.
        mood: the statistics that ``like`` starts from in this scene; None before it begins.
    """

    steady: SteadyState = field(default_factory=SteadyState)
    mood: ChromaStatistics | None = None


@dataclass
class ColoredFrame:
    """A frame with its colours.

    Attributes:
        pts: when it is shown, in units of the stream's time base.
        duration: for how long, in the same; 0 if it does not say.
        luma: its own, as it was.
        chroma: U and V, (2, h, w) in the type of the luma.
        cut: whether a scene begins here.
        state: after it; only of some frames, at which the work can be taken up again.
    """

    pts: int
    duration: int
    luma: Luma
    chroma: np.ndarray
    cut: bool = False
    state: FilmState | None = None

    def to_frame(self, layout: str) -> av.VideoFrame:
        """Return it in a planar format of PyAV that has its depth and its chroma's shape."""
        frame = colored_frame(self.luma, self.chroma, layout)
        frame.pts, frame.duration = self.pts, self.duration
        return frame


@dataclass
class _Waiting:
    """A frame that was read and waits for its colours."""

    pts: int
    duration: int
    luma: Luma
    turns: int
    small: Future[SmallFrame]


class FilmColorizer:
    """Colours the frames of one film.

    Args:
        colorizer: the model.
        options: how; those that concern files are not used.
        steady: whether colours are kept still; else each frame is coloured by itself.
        hints: what is known about the frames' colours, by their times.
        depth: most bits that the result can have.
        subsampling: of its chroma, across and down: 1 or 2 each.
        pixel_aspect: how much wider than high a pixel is.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        options: ColorizeOptions,
        *,
        steady: bool = True,
        hints: dict[int, list[Hint]] | None = None,
        depth: int = 16,
        subsampling: tuple[int, int] = (2, 2),
        pixel_aspect: float = 1.0,
    ) -> None:
        self.colorizer, self.options = colorizer, with_statistics(options)
        self.steady, self.hints = steady, hints or {}
        self.depth, self.subsampling = depth, subsampling
        self.pixel_aspect = pixel_aspect

    def run(
        self, frames: Iterable[av.VideoFrame], state: FilmState | None = None
    ) -> Iterator[ColoredFrame]:
        """Yield the frames with their colours, in order.

        Args:
            frames: of the film, in order.
            state: after the frames before; None at the start of the film.

        Raises:
            ImageError: the film is damaged.
            ModelError: the network gave no colours.
            UsageError: a hint lies outside of the film.
        """
        state = state or FilmState()
        with ThreadPoolExecutor(cores(), initializer=self.colorizer.use_one_thread) as pool:
            try:
                yield from self._run(_Reader(self, pool, frames, state), pool, state)
            finally:
                pool.shutdown(cancel_futures=True)

    def _run(
        self, reader: _Reader, pool: ThreadPoolExecutor, state: FilmState
    ) -> Iterator[ColoredFrame]:
        while reader.fill(2 * reader.block):
            count = min(reader.block, len(reader.waiting))
            known = list(itertools.islice(reader.waiting, 2 * reader.block))
            small = [frame.small.result() for frame in known]
            colors, cuts, state = self._colors(small, count, state)
            joined = [
                pool.submit(self._join, reader.waiting.popleft(), small[number], *color)
                for number, color in enumerate(zip(colors, cuts, strict=True))
            ]
            for join in joined:
                reader.fill(len(reader.waiting) + 1, most=3 * reader.block)
                frame = join.result()
                yield replace(frame, state=state) if join is joined[-1] else frame

    def _colors(
        self, small: Sequence[SmallFrame], count: int, state: FilmState
    ) -> tuple[list[np.ndarray], list[bool], FilmState]:
        if self.steady:
            colors, links, steady = steady_colors(state.steady, small, count)
            cuts = [link.cut for link in links]
        else:
            colors, cuts, steady = (
                [frame.ab for frame in small[:count]],
                [False] * count,
                state.steady,
            )
        mood, adjusted = state.mood, []
        for number, (ab, cut) in enumerate(zip(colors, cuts, strict=True)):
            if mood is None or cut:
                scene = itertools.takewhile(lambda later: not cuts[later], range(number + 1, count))
                mood = ChromaStatistics.from_ab(
                    np.stack([ab, *(colors[later] for later in scene)], axis=1)
                )
            adjusted.append(adjust(ab, self.options, own=mood))
        return adjusted, cuts, FilmState(steady, mood)

    def _join(self, frame: _Waiting, small: SmallFrame, ab: np.ndarray, cut: bool) -> ColoredFrame:
        across, down = self.subsampling
        height, width = frame.luma.plane.shape
        size = (-(-height // down), -(-width // across))
        gray, ab = np.rot90(small.gray, -frame.turns), np.rot90(ab, -frame.turns, axes=(1, 2))
        chroma = frame.luma.chroma(gray, ab, size)
        return ColoredFrame(frame.pts, frame.duration, frame.luma, chroma, cut)


class _Reader:
    """Reads frames ahead, and lets a pool look at them."""

    def __init__(
        self,
        film: FilmColorizer,
        pool: ThreadPoolExecutor,
        frames: Iterable[av.VideoFrame],
        state: FilmState,
    ) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.block = _BLOCK
        self._film, self._pool, self._frames = film, pool, iter(frames)
        recent = state.steady.scenes.recent
        self._before = recent[-1] if recent else None

    def fill(self, count: int, most: int | None = None) -> bool:
        """Read until so many frames wait, or the film ends; return whether any waits."""
        while len(self.waiting) < min(count, most or count):
            frame = next(self._frames, None)
            if frame is None:
                break
            self._add(frame)
        return bool(self.waiting)

    def _add(self, frame: av.VideoFrame) -> None:
        film = self._film
        luma = luma_of(frame).shallower(film.depth)
        if not self.waiting:
            affordable = _MAX_BYTES_HELD // (3 * luma.plane.nbytes)
            self.block = max(LOOKAHEAD, min(_BLOCK, affordable))
        size = film.colorizer.render_size(film.options)
        gray = upright_gray(frame, luma, film.pixel_aspect, size)
        before, self._before = self._before, gray
        hints = film.hints.get(frame.pts, [])
        upright = turned(luma.plane.shape, frame)
        painted = paint_hints(hints, upright, gray.shape) if hints else None
        small = self._pool.submit(self._look, gray, before, painted)
        self.waiting.append(
            _Waiting(frame.pts, frame.duration or 0, luma, quarter_turns(frame), small)
        )

    def _look(
        self, gray: np.ndarray, before: np.ndarray | None, painted: np.ndarray | None
    ) -> SmallFrame:
        photo = ReducedPhoto(GrayPhoto(gray), gray, painted)
        ab = self._film.colorizer.predict([photo], self._film.options)[0]
        motion: Motion | None = None
        if before is not None and self._film.steady:
            motion = MotionEstimator().between(before, gray, ab.shape[1:])
        return SmallFrame(gray, ab, motion)


def upright_gray(
    frame: av.VideoFrame, luma: Luma, pixel_aspect: float, render_size: int
) -> np.ndarray:
    """Return a frame as the network sees it: upright, its pixels square; gray, uint8 (h, w)."""
    height, width = luma.plane.shape[0], luma.plane.shape[1] * pixel_aspect
    size = seen_size(height, width, render_size)
    return np.ascontiguousarray(np.rot90(luma.gray(size), quarter_turns(frame)))


def turned(shape: tuple[int, ...], frame: av.VideoFrame) -> tuple[int, int]:
    """Return the (H, W) of an upright frame from that of the coded one."""
    height, width = shape
    return (width, height) if quarter_turns(frame) % 2 else (height, width)


def quarter_turns(frame: av.VideoFrame) -> int:
    """Return how many quarter turns, counterclockwise, make a frame upright."""
    return round(frame.rotation / 90) % 4
