"""The motion between two frames of a film, and where it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_TOLERANCE = 0.5  # squared pixels by which there and back may miss its start …
_TOLERANCE_SHARE = 0.01  # … and a share of the squared motion
_SIGMA_SHARE = 0.16  # of the contrast, by which a thing's brightness may change …
_LEAST_SIGMA = 2.0  # … and gray levels


@dataclass(frozen=True)
class Motion:
    """The motion between a frame and the next, at the size of the network's colours.

    Attributes:
        backward: float32 (h, w, 2): where each place of the second frame was in the first, as x, y.
        forward: where each place of the first will be in the second.
        arrived: float32 (h, w), 0 to 1: how certain ``backward`` is, at places of the second frame.
        leaving: the same of ``forward``, at places of the first.
    """

    backward: np.ndarray
    forward: np.ndarray
    arrived: np.ndarray
    leaving: np.ndarray

    @classmethod
    def still(cls, shape: tuple[int, int]) -> Motion:
        """Return no motion at all, and certain."""
        places, ones = _places(shape), np.ones(shape, np.float32)
        return cls(places, places, ones, ones)

    @property
    def share(self) -> float:
        """The share of the second frame that was certainly in the first."""
        return float(self.arrived.mean())


class MotionEstimator:
    """Finds motion by dense inverse search (Kroeger et al. 2016, arXiv:1603.03590).

    It is not safe to use from several threads at once.
    """

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def between(self, first: np.ndarray, second: np.ndarray, shape: tuple[int, int]) -> Motion:
        """Return the motion between two frames.

        A place is certain where the way there and back ends where it began, and the brightness is
        the same, but for what changes in the whole picture: exposure flickers, and scenes fade.

        Args:
            first, second: gray, uint8 (H, W), of one shape.
            shape: (h, w) of the result.
        """
        forward = self._search.calc(first, second, None)
        backward = self._search.calc(second, first, None)
        places = _places(first.shape)
        there, back = places + forward, places + backward
        arrived = _certainty(back - places, warp(forward, back), second, warp(first, back))
        leaving = _certainty(there - places, warp(backward, there), first, warp(second, there))
        scale = np.array([shape[1] / first.shape[1], shape[0] / first.shape[0]], np.float32)
        small = _places(shape)
        return Motion(
            small + _reduced(backward, shape) * scale,
            small + _reduced(forward, shape) * scale,
            _reduced(arrived, shape),
            _reduced(leaving, shape),
        )


def warp(picture: np.ndarray, where: np.ndarray, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Return what a picture (h, w, …) has at the places ``where``, (h, w, 2) as x, y."""
    return cv2.remap(picture, where, None, how, borderMode=cv2.BORDER_REPLICATE)


def _certainty(
    motion: np.ndarray, opposite: np.ndarray, gray: np.ndarray, moved: np.ndarray
) -> np.ndarray:
    """Return how certain motions are, (H, W), given the opposite ones where they end, and grays."""
    miss = ((motion + opposite) ** 2).sum(2)
    lengths = (motion**2).sum(2) + (opposite**2).sum(2)
    agrees = miss < _TOLERANCE + _TOLERANCE_SHARE * lengths
    if agrees.sum() < 2:
        return np.zeros(gray.shape, np.float32)
    before, now = moved[agrees].astype(np.float32), gray[agrees].astype(np.float32)
    sigma = max(_LEAST_SIGMA, _SIGMA_SHARE * float(now.std()))
    gain = now.std() / max(before.std(), 1.0)
    expected = (moved - before.mean()) * gain + now.mean()
    return agrees * np.exp(-0.5 * ((gray - expected) / np.float32(sigma)) ** 2)


def _places(shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape
    return np.stack(np.meshgrid(*map(np.arange, (width, height))), axis=2).astype(np.float32)


def _reduced(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA)
