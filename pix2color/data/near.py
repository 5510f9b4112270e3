"""Photos that are nearly the same, found by a perceptual hash."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from PIL import Image

_SIDE = 8
_BITS = 2 * _SIDE**2
_MOST = 10  # bits in which near duplicates may differ
_PIECES = _MOST + 1
_PIECE = -(-_BITS // _PIECES)  # bits


def perceptual_hash(picture: Image.Image) -> int:
    """128 bits: whether it gets lighter to the right, and downwards, at 8 × 8 places (dHash)."""
    side = _SIDE + 1
    gray = picture.convert("L").resize((side, side), Image.Resampling.BILINEAR)
    levels = np.asarray(gray, dtype=np.int16)
    right, down = np.diff(levels, axis=1)[:-1] > 0, np.diff(levels, axis=0)[:, :-1] > 0
    return int.from_bytes(np.packbits(np.concatenate([right, down])).tobytes(), "big")


class NearDuplicates:
    """Finds hashes that differ in few bits: of one piece more than that, one must be equal."""

    def __init__(self) -> None:
        self._sources: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)

    def find(self, bits: int) -> str | None:
        """The source of one that is nearly the same."""
        for piece in _pieces(bits):
            for other, source in self._sources.get(piece, ()):
                if (bits ^ other).bit_count() <= _MOST:
                    return source
        return None

    def add(self, bits: int, source: str) -> None:
        """Remember one."""
        for piece in _pieces(bits):
            self._sources[piece].append((bits, source))


def _pieces(bits: int) -> list[tuple[int, int]]:
    return [(i, bits >> (i * _PIECE) & ((1 << _PIECE) - 1)) for i in range(_PIECES)]
