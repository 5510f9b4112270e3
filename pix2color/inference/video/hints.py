"""Hints for films: a spot in one frame that moves along with its thing, from cut to cut."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pix2color.errors import UsageError
from pix2color.inference.hints import FilmHint, Hint
from pix2color.inference.video.coloring import turned, upright_gray
from pix2color.inference.video.film import Film
from pix2color.inference.video.motion import Motion, MotionEstimator, warp
from pix2color.inference.video.planes import luma_of
from pix2color.inference.video.scenes import SceneState, link_frames, state_after

_BLOCK = 16  # frames
_LONGEST = 1000  # frames of a scene that are kept, to follow a spot back
_CERTAIN = 0.3
_LOST = 8  # frames in a row in which a spot may be uncertain before it is given up


@dataclass(frozen=True)
class _Seen:
    """A frame of the scene that is followed, and the motion from the one before."""

    pts: int
    seconds: float
    shape: tuple[int, int]
    motion: Motion | None


def track_hints(path: Path, hints: Sequence[FilmHint], render_size: int) -> dict[int, list[Hint]]:
    """Return where each hint's spot is in each frame of its scene, by the frames' times.

    Args:
        path: of the film, which is read to the end of the last scene that has a hint.
        hints: about it.
        render_size: short side of what the network looks at.

    Raises:
        ImageError: the film is damaged.
        UsageError: a hint's time lies behind the end.
    """
    with Film(path) as film:
        return _track(film, hints, render_size)


def _track(film: Film, hints: Sequence[FilmHint], render_size: int) -> dict[int, list[Hint]]:
    found: dict[int, list[Hint]] = defaultdict(list)
    left = sorted(hints, key=lambda hint: hint.seconds)
    scene: deque[_Seen] = deque(maxlen=_LONGEST)
    for seen, cut in _seen_frames(film, render_size):
        while left and scene and cut and left[0].seconds < seen.seconds:
            _follow(list(scene), left.pop(0), found)
        if not left:
            return found
        if cut:
            scene.clear()
        scene.append(seen)
    end = scene[-1].seconds + float(1 / film.rate)
    for hint in left:
        if hint.seconds > end:
            raise UsageError(f"hint at {hint.seconds:g} s: the film ends after {end:.1f} s")
        _follow(list(scene), hint, found)
    return found


def _seen_frames(film: Film, render_size: int) -> Iterator[tuple[_Seen, bool]]:
    """Yield the frames of a film, and whether a scene begins with each."""
    estimator, state = MotionEstimator(), SceneState()
    frames = film.frames()
    waiting: list[tuple[_Seen, np.ndarray]] = []
    before: np.ndarray | None = None

    def between(first: np.ndarray, second: np.ndarray) -> Motion:
        return estimator.between(first, second, first.shape)

    while True:
        for frame in itertools.islice(frames, 2 * _BLOCK - len(waiting)):
            gray = upright_gray(frame, luma_of(frame), film.pixel_aspect, render_size)
            motion = None if before is None else between(before, gray)
            shape = turned((frame.height, frame.width), frame)
            waiting.append((_Seen(frame.pts, film.seconds_at(frame.pts), shape, motion), gray))
            before = gray
        if not waiting:
            return
        grays = [gray for _, gray in waiting]
        links = link_frames(state, grays, [seen.motion for seen, _ in waiting], between)[:_BLOCK]
        state = state_after(state, grays, links)
        for (seen, _), link in zip(waiting, links, strict=False):
            yield replace(seen, motion=link.motion), link.cut
        del waiting[:_BLOCK]


def _follow(scene: list[_Seen], hint: FilmHint, found: dict[int, list[Hint]]) -> None:
    """Add where a hint's spot is in the frames of its scene."""
    start = min(range(len(scene)), key=lambda i: abs(scene[i].seconds - hint.seconds))
    found[scene[start].pts].append(hint.hint)
    ahead: list[_Move] = [
        (seen, seen.motion.forward, seen.motion.leaving)
        for seen in itertools.takewhile(lambda seen: seen.motion, scene[start + 1 :])
        if seen.motion
    ]
    back: list[_Move] = [
        (before, seen.motion.backward, seen.motion.arrived)
        for before, seen in zip(scene[start - 1 :: -1], scene[start:0:-1], strict=False)
        if seen.motion
    ]
    for moves in (ahead, back):
        for seen, x, y in _path(scene[start].shape, hint.hint, moves):
            found[seen.pts].append(replace(hint.hint, x=x, y=y))


_Move = tuple[_Seen, np.ndarray, np.ndarray]  # a frame, where places go in it, and how certainly


def _path(
    shape: tuple[int, int], hint: Hint, moves: Sequence[_Move]
) -> Iterator[tuple[_Seen, float, float]]:
    """Yield where a spot goes, in pixels, until it leaves the picture or is lost."""
    height, width = shape
    x, y, uncertain = hint.x / width, hint.y / height, 0
    for seen, where, certainty in moves:
        rows, columns = certainty.shape
        place = np.array([[[x * columns, y * rows]]], np.float32)
        uncertain = 0 if float(warp(certainty, place)[0, 0]) > _CERTAIN else uncertain + 1
        x, y = (float(v) for v in warp(where, place)[0, 0] / (columns, rows))
        if uncertain > _LOST or not (0 <= x < 1 and 0 <= y < 1):
            return
        yield seen, x * width, y * height
