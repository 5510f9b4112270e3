"""Where the scenes of a film begin, and how each frame continues the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2color.inference.video.motion import Motion

# Share of a frame that was certainly in the other one. On films made from photographs, with camera
# moves and grain, it is at most 0.07 across a cut and at least 0.48 elsewhere.
_SAME_SCENE = 0.25
_LONGEST_FLASH = 6  # frames
LOOKAHEAD = _LONGEST_FLASH + 1
"""Frames that have to be known behind one to say how it continues the one before."""
_RISE = 4  # frames in which a flash may become blinding
_BLANK = 3.0  # standard deviation of gray levels in a frame with nothing to see


@dataclass(frozen=True)
class Link:
    """How a frame continues the one before.

    Attributes:
        motion: from there; None if nothing of it is left: after a cut, and within a fade.
        cut: whether a scene begins here.
        lit: whether a flash lights the frame, so that its own colours are not to be trusted.
    """

    motion: Motion | None
    cut: bool = False
    lit: bool = False


@dataclass
class SceneState:
    """What has to be known of the frames before.

    Attributes:
        recent: grays of the last few, uint8 (h, w).
        waiting: whether a scene has ended and the next has not begun yet, as in a fade.
    """

    recent: list[np.ndarray] = field(default_factory=list)
    waiting: bool = True


def link_frames(
    state: SceneState,
    grays: Sequence[np.ndarray],
    motions: Sequence[Motion | None],
    between: Callable[[np.ndarray, np.ndarray], Motion],
) -> list[Link]:
    """Return how each of some frames in a row continues the one before.

    A scene begins with the first frame that has something to see, is like the one behind it, and
    unlike the last one of the scene before. So a fade through black is one cut, and a flash none:
    after it things go on.

    Args:
        state: after the frames before.
        grays: of the frames, uint8 (h, w).
        motions: between each frame and the one before it; None where there is none before.
        between: returns the motion between two grays.
    """
    links: list[Link] = []
    waiting, known = state.waiting, [*state.recent, *grays]
    while len(links) < len(grays):
        at = len(links)
        motion = motions[at]
        same = motion is not None and motion.share >= _SAME_SCENE and not _blank(grays[at])
        if not waiting and same:
            links.append(Link(motion))
            continue
        if not waiting:
            earlier = known[: len(state.recent) + at][-_RISE:]
            flash = _flash((earlier[-1], earlier[0]), grays[at : at + LOOKAHEAD], between)
            if flash:
                links += flash
                continue
        waiting = not _begins(grays, motions, at)
        links.append(Link(None, cut=not waiting))
    return links


def state_after(
    state: SceneState, grays: Sequence[np.ndarray], links: Sequence[Link]
) -> SceneState:
    """Return the state after some frames that were linked."""
    if not links:
        return state
    last = links[-1]
    recent = [*state.recent, *grays[: len(links)]][-_RISE:]
    return SceneState(recent, last.motion is None and not last.cut)


def _flash(
    before: Sequence[np.ndarray],
    grays: Sequence[np.ndarray],
    between: Callable[[np.ndarray, np.ndarray], Motion],
) -> list[Link]:
    """Return the links of a flash and of the frame after it; none if things do not go on."""
    for length, gray in enumerate(grays):
        if length and not _blank(gray):
            motion = next((m for b in before if (m := between(b, gray)).share >= _SAME_SCENE), None)
            if motion:
                still = Link(Motion.still(motion.arrived.shape), lit=True)
                return [*[still] * length, Link(motion)]
    return []


def _begins(grays: Sequence[np.ndarray], motions: Sequence[Motion | None], at: int) -> bool:
    """Return whether a scene can begin with a frame: the last one known is given the doubt."""
    if _blank(grays[at]):
        return False
    after = motions[at + 1] if at + 1 < len(grays) else None
    return after is None or after.share >= _SAME_SCENE


def _blank(gray: np.ndarray) -> bool:
    return float(gray.std()) < _BLANK
