"""Photos that are nearly the same, found by a perceptual hash."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from PIL import Image

_SIDE = 8
_BITS = 2 * _SIDE**2
_MOST = 10  # bits in which near duplicates may differ
_PIECES = _MOST + 1
# Each piece has bits from all over the picture: neighbours are alike, and would make few
# different pieces, with many hashes to compare in each.
_MASKS = [sum(1 << bit for bit in range(first, _BITS, _PIECES)) for first in range(_PIECES)]


def perceptual_hash(picture: Image.Image) -> int:
    """Return 128 bits: at 8 × 8 places, whether it gets lighter to the right and down (dHash)."""
    side = _SIDE + 1
    gray = picture.convert("L").resize((side, side), Image.Resampling.BILINEAR)
    levels = np.asarray(gray, dtype=np.int16)
    right, down = np.diff(levels, axis=1)[:-1] > 0, np.diff(levels, axis=0)[:, :-1] > 0
    return int.from_bytes(np.packbits(np.concatenate([right, down])).tobytes(), "big")


class NearDuplicates:
    """Finds hashes that differ in few bits: of one piece more than that, one must be equal."""

    def __init__(self) -> None:
        self._by_piece: list[dict[int, list[tuple[int, str]]]] = [defaultdict(list) for _ in _MASKS]

    def find(self, bits: int) -> str | None:
        """Return the source of a photo whose hash is nearly the same; None if there is none."""
        for mask, known in zip(_MASKS, self._by_piece, strict=True):
            for other, source in known.get(bits & mask, ()):
                if (bits ^ other).bit_count() <= _MOST:
                    return source
        return None

    def add(self, bits: int, source: str) -> None:
        """Remember the hash of a photo."""
        entry = bits, source
        for mask, known in zip(_MASKS, self._by_piece, strict=True):
            known[bits & mask].append(entry)
