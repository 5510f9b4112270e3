"""Whether a photo is in colour, or black-and-white, toned or faded.

The chroma of a black-and-white photo is a function of its luminance (the tone), with a slow change
over the place (stains, uneven fading) and fringes at edges (the channels do not lie upon each
other). What of Cb and Cr these do not explain, averaged over cells of 1/24 of the photo, is
the measure: colour photos have several levels of it, black-and-white ones next to nothing. The
rates of false decisions are in docs/colorize.md; ``benchmarks/color_or_not.py`` measures them.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

LEAST_COLOR = 0.35
"""The measure from which a photo is in colour."""
_DOUBTFUL = (0.22, 0.8)
LOOKED_AT = 160  # pixels of a side
_CELLS = 24
_TONES = 10  # at which the tone is fitted, linear between
# Of the tone's curve, in rounds of a fit that does not mind what is unlike the rest. A curve that
# bends at once would follow a stamp, where few other places have its luminance.
_STIFFNESS = (1.0, 0.1, 0.01, 0.001, 0.0, 0.0)
_AREA = 0.15  # that may be of any colour: stamps, stains, a scanner's colour strip
_WIDEST_TONING = 80.0  # levels of Cb and Cr between the tones of a print, a cyanotype's too
_NOISE = 0.8  # of the difference between neighbouring cells, left after they are averaged
_FULL_CONTRAST, _LEAST_CONTRAST = 230.0, 0.45  # levels of Y', and the share that still counts
_PLAIN = (8.0, 2.5, 2.5)  # spread of Y', Cb and Cr along a line of a frame
_LIKE_BEFORE = 6.0  # levels that a line of a frame may differ from the outermost
_SHALLOWEST = 3  # lines that a frame or strip has at least
_DEEPEST = 0.35  # share of a side that a frame may take
_FEWEST_SIDES = 2
_COLORFUL = 15.0  # spread of Cb and Cr along a scanner's colour strip
_WIDEST_STRIP = 0.2
_BLOCK = 16  # pixels that share their chroma in a JPEG


def counts_as_color(measure: float) -> bool:
    """Return whether a photo of this measure is in colour."""
    return measure >= LEAST_COLOR


def is_doubtful(measure: float) -> bool:
    """Return whether a photo of this measure may be otherwise than it counts."""
    return _DOUBTFUL[0] <= measure <= _DOUBTFUL[1]


def color_measure(picture: Image.Image, opaque: Image.Image | None = None) -> float:
    """Return how many levels of Cb and Cr a photo's tone does not explain.

    A frame around it (an album's page, a mat, a scanner's lid) is left out of account, and so is
    what is unlike the rest on less than 15 % of the area.

    Args:
        picture: in mode YCbCr, of any size.
        opaque: its alpha, in mode L and of the same size, if it has one.
    """
    size = (min(LOOKED_AT, picture.width), min(LOOKED_AT, picture.height))
    pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    seen: np.ndarray = np.ones(pixels.shape[:2], np.float32)
    if opaque is not None:
        seen = np.asarray(opaque.resize(size, Image.Resampling.BOX), dtype=np.float32) / 255
    mixed = math.ceil(_BLOCK * max(size) / max(picture.size))
    place = _without_frame(pixels, mixed)
    pixels, seen = pixels[place], _cells(seen[place])
    left = _unexplained(pixels, (seen > 0.5).astype(np.float32))
    even = _averaged(left)
    noise = float(np.median(np.hypot(*(left - even))))
    inside = np.hypot(*even)[seen > 0.5]
    if not inside.size:
        return 0.0
    most = max(np.quantile(inside, 1 - _AREA), _opposed(pixels[..., 1:], seen > 0.5))
    # A print that fades loses contrast and colours alike.
    reach = np.subtract(*np.quantile(pixels[..., 0], (0.995, 0.005)))
    contrast = np.clip(reach / _FULL_CONTRAST, _LEAST_CONTRAST, 1)
    return float(np.sqrt(max(most**2 - (_NOISE * noise) ** 2, 0) / contrast))


def _opposed(chroma: np.ndarray, seen: np.ndarray) -> float:
    """Return by how many levels chroma (H, W, 2), where seen, is further apart than by toning."""
    cells = np.stack([_cells(chroma[..., channel])[seen] for channel in (0, 1)])
    if cells.shape[1] < 2:
        return 0.0
    _, axes = np.linalg.eigh(np.cov(cells) + np.eye(2))
    low, high = np.quantile(axes[:, -1] @ cells, (_AREA, 1 - _AREA))
    return float(max(0.0, high - low - _WIDEST_TONING))


def _unexplained(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what is left of Cb and Cr in cells, (2, h, w), once the tone is taken out."""
    tone, others = _explained(pixels)
    explained = np.stack([*tone, *others], axis=-1).reshape(weights.size, -1)
    chroma = np.stack([_cells(pixels[..., channel]) - 128 for channel in (1, 2)], axis=-1)
    chroma, seen = chroma.reshape(-1, 2), weights.ravel()
    small, bent = 1e-3 * np.eye(explained.shape[1]), np.zeros((explained.shape[1],) * 2)
    bends = np.diff(np.eye(len(tone)), 2, axis=0)
    bent[: len(tone), : len(tone)] = weights.size * bends.T @ bends
    trust = seen
    for stiffness in _STIFFNESS:
        weighted = (explained * trust[:, None]).T
        factors = np.linalg.solve(
            weighted @ explained + small + stiffness * bent, weighted @ chroma
        )
        left = chroma - explained @ factors
        away = np.hypot(*left.T)
        usual = max(1.5 * float(np.median(away)), 0.7)
        trust = seen / (1 + (away / (2 * usual)) ** 2)
    return left.T.reshape(2, *weights.shape)


def _explained(pixels: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what tone is made of, and what stains and fringes are, each in cells (h, w)."""
    y = pixels[..., 0]
    darkest, lightest = np.quantile(y, (0.005, 0.995))
    tones = _TONES if min(y.shape) >= _CELLS else 2
    step = max((lightest - darkest) / (tones - 1), 1)
    at = ((y - darkest) / step).clip(0, tones - 1)
    tone = [_cells(np.maximum(0, 1 - np.abs(at - i))) for i in range(tones)]
    if tones < _TONES:  # too few pixels to tell stains from colours
        return tone, []
    height, width = tone[0].shape
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    stains = [down, across, down * across, down**2, across**2]
    stains += [np.maximum(down + across, 0), np.maximum(down - across, 0)]  # from a corner
    fringes = [_cells(slope) / 32 for slope in np.gradient(y)]
    return tone, [*stains, *(stain * _cells(y) / 128 for stain in stains), *fringes]


def _cells(plane: np.ndarray) -> np.ndarray:
    """Return a plane reduced to at most 24 × 24 cells."""
    size = (min(_CELLS, plane.shape[1]), min(_CELLS, plane.shape[0]))
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX))


def _averaged(planes: np.ndarray) -> np.ndarray:
    """Return planes (C, h, w) in which each cell is the mean of 3 × 3."""
    _, height, width = planes.shape
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return np.mean([padded[:, i : i + height, j : j + width] for i, j in shifts], axis=0)


def _without_frame(pixels: np.ndarray, mixed: int) -> tuple[slice, slice]:
    """Return the place within a picture (H, W, 3) that remains without what lies around it.

    Args:
        pixels: Y', Cb and Cr.
        mixed: lines in which a JPEG has mixed what is around the photo with the photo.
    """
    edges = [0, pixels.shape[0], 0, pixels.shape[1]]
    for _ in range(2):  # some sides are plain all along, or a strip, once the others are gone
        for side in range(4):
            _cut(edges, side, _strip_depth(_lines(pixels, edges, side)), mixed)
        sides = [_lines(pixels, edges, side) for side in range(4)]
        depths = [_plain_depth(lines) for lines in sides]
        outermost = [lines[0].mean(0) for lines in sides]
        frame = outermost[int(np.argmax(depths))]
        alike = [bool((np.abs(color - frame) <= _LIKE_BEFORE).all()) for color in outermost]
        framed = [side for side in range(4) if depths[side] and alike[side]]
        if len(framed) < _FEWEST_SIDES:  # a sky is plain, too
            break
        for side in framed:
            _cut(edges, side, depths[side], mixed)
    return slice(edges[0], edges[1]), slice(edges[2], edges[3])


def _lines(pixels: np.ndarray, edges: list[int], side: int) -> np.ndarray:
    """Return the lines (N, length, 3) within edges from one side (top, bottom, left, right) on."""
    inner = pixels[edges[0] : edges[1], edges[2] : edges[3]]
    lines = inner if side < 2 else inner.swapaxes(0, 1)
    return lines[::-1] if side % 2 else lines


def _cut(edges: list[int], side: int, depth: int, mixed: int) -> None:
    if depth:
        first = side // 2 * 2
        left = edges[first + 1] - edges[first] - depth
        depth += min(mixed, left // 4)  # of a small picture, all would be mixed
        edges[side] += -depth if side % 2 else depth


def _plain_depth(lines: np.ndarray) -> int:
    """Return how many lines are of one colour, that of the first."""
    means = lines.mean(1)
    like = (np.abs(means - means[0]) <= _LIKE_BEFORE).all(1)
    return _depth(like & (lines.std(1) <= _PLAIN).all(1), _DEEPEST)


def _strip_depth(lines: np.ndarray) -> int:
    """Return how many lines repeat the first, if that is one of coloured patches."""
    if np.hypot(*lines[0, :, 1:].std(0)) <= _COLORFUL:
        return 0
    return _depth((np.abs(lines - lines[0]).mean(1) <= _LIKE_BEFORE).all(1), _WIDEST_STRIP)


def _depth(belong: np.ndarray, most: float) -> int:
    count = len(belong) if belong.all() else int(belong.argmin())
    return count if _SHALLOWEST <= count <= most * len(belong) else 0
