"""Where a word from a person would help most."""

import numpy as np

from pix2color import Hint
from pix2color.inference.doubt_spots import MOST, doubt_spots


def bump(doubt: np.ndarray, x: int, y: int, height: float) -> None:
    rows, columns = np.mgrid[: doubt.shape[0], : doubt.shape[1]]
    doubt += height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 800).astype(np.float32)


def test_the_most_doubtful_places_come_first_and_apart():
    doubt = np.full((600, 900), 2, np.float32)
    for x, y, height in ((200, 150, 20), (230, 160, 19), (700, 450, 30), (450, 300, 5)):
        bump(doubt, x, y, height)
    spots = doubt_spots(doubt)
    assert len(spots) == 2  # the others are near one, or hardly doubtful
    for (x, y), wanted in zip(spots, ((700, 450), (205, 152)), strict=True):
        assert np.hypot(x - wanted[0], y - wanted[1]) < 15


def test_what_is_known_is_not_asked_again():
    doubt = np.full((600, 900), 2, np.float32)
    bump(doubt, 200, 150, 20)
    bump(doubt, 700, 450, 30)
    ((x, y),) = doubt_spots(doubt, [Hint(690, 440, "red")])
    assert np.hypot(x - 200, y - 150) < 15


def test_edges_are_left_out_and_there_are_not_too_many():
    doubt = np.random.default_rng(0).random((300, 200), np.float32)
    doubt[:3] = doubt[:, -3:] = 9
    spots = doubt_spots(doubt)
    assert len(spots) == MOST
    assert all(5 < x < 195 and 8 < y < 292 for x, y in spots)
    assert doubt_spots(np.zeros((50, 50), np.float32)) == []
