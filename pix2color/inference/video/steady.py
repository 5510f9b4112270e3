"""Colours that stay still: what the network says of each frame, averaged along the motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2color.inference.video.motion import Motion, MotionEstimator, warp
from pix2color.inference.video.scenes import LOOKAHEAD, Link, SceneState, link_frames, state_after

_MEMORY = np.float32(0.98)  # how much a frame counts for the next, where the motion is certain
_LIT = np.float32(0.05)  # how much the colours of a frame count that a flash lights
MIN_WINDOW = 2 * LOOKAHEAD


@dataclass
class SmallFrame:
    """A frame as the network sees it.

    Attributes:
        gray: uint8 (h, w).
        ab: float32 (2, h/2, w/2), what the network says.
        motion: from the frame before; None for the first.
    """

    gray: np.ndarray
    ab: np.ndarray
    motion: Motion | None


@dataclass
class SteadyState:
    """All that the colours of the next frames need of those before.

    Attributes:
        scenes: about where scenes begin.
        sums: float32 (h/2, w/2, 3): ab and weight, gathered up to the last frame; None before.
    """

    scenes: SceneState = field(default_factory=SceneState)
    sums: np.ndarray | None = None


def steady_colors(
    state: SteadyState, frames: Sequence[SmallFrame], count: int
) -> tuple[list[np.ndarray], list[Link], SteadyState]:
    """Return the steady colours of the first of some frames.

    The colour of a place is the mean of what the network says of it in all frames of its scene that
    are known, before and after, each weighted by how certain it is to be the same place: it
    follows the dense motion there and back, and loses a fiftieth with each frame.

    Args:
        state: after the frames before.
        frames: some in a row.
        count: the number of those whose colours are wanted; the others are known ahead.

    Returns:
        The colours, float32 (2, h/2, w/2) each; how each frame continues the one before; the state
        after these frames.
    """
    shape = frames[0].ab.shape[1:]
    estimator = MotionEstimator()
    grays = [frame.gray for frame in frames]
    links = link_frames(
        state.scenes,
        grays,
        [frame.motion for frame in frames],
        lambda first, second: estimator.between(first, second, shape),
    )
    own = [_weighted(frame.ab, link) for frame, link in zip(frames, links, strict=True)]
    before = _gathered(own, [_from_before(link) for link in links], state.sums)
    after = _gathered(own[::-1], [None, *map(_from_after, links[:0:-1])])[::-1]
    sums = (b + a - o for b, a, o in zip(before[:count], after, own, strict=False))
    colors = [(total[..., :2] / total[..., 2:]).transpose(2, 0, 1) for total in sums]
    next_state = SteadyState(state_after(state.scenes, grays, links[:count]), before[count - 1])
    return colors, links[:count], next_state


_Step = Callable[[np.ndarray], np.ndarray] | None


def _gathered(
    own: Sequence[np.ndarray], steps: Sequence[_Step], sums: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return sums of each frame's own and what a step brings of the frame before it in the list."""
    gathered = []
    for frame, step in zip(own, steps, strict=True):
        sums = frame if step is None or sums is None else frame + _MEMORY * step(sums)
        gathered.append(sums)
    return gathered


def _weighted(ab: np.ndarray, link: Link) -> np.ndarray:
    ones = np.ones((1, *ab.shape[1:]), np.float32)
    return (np.concatenate([ab, ones]) * (_LIT if link.lit else 1)).transpose(1, 2, 0)


def _from_before(link: Link) -> _Step:
    motion = link.motion
    return _step(motion.backward, motion.arrived) if motion else None


def _from_after(link: Link) -> _Step:
    motion = link.motion
    return _step(motion.forward, motion.leaving) if motion else None


def _step(where: np.ndarray, certainty: np.ndarray) -> _Step:
    return lambda sums: certainty[..., None] * warp(sums, where)
