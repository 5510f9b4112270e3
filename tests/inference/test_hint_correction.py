"""Hints have the last word: what a network leaves undone of them is added."""

from __future__ import annotations

import numpy as np
import pytest

from pix2color.inference.hint_correction import correct_by_hints


def picture(height=48, width=64, seed=0):
    """L and ab that differ from place to place, and no hints."""
    random = np.random.default_rng(seed)
    L = random.uniform(-0.2, 0.2, (1, 1, height, width))
    ab = random.uniform(-0.1, 0.1, (1, 2, height, width))
    hints = np.zeros((1, 3, height, width))
    return [x.astype(np.float32) for x in (ab, L, hints)]


def put(hints, row, column, ab, side=1):
    spot = hints[0, :, row : row + side, column : column + side]
    spot[:] = np.array([*ab, 1], np.float32)[:, None, None]


def test_without_hints_nothing_changes():
    ab, L, hints = picture()
    np.testing.assert_array_equal(correct_by_hints(ab, L, hints), ab)
    both = [np.concatenate([x, x]) for x in (ab, L, hints)]
    both[2][1, :, 5, 5] = 1
    first, second = correct_by_hints(*both)
    np.testing.assert_array_equal(first, ab[0])
    assert np.abs(second - ab[0]).max() > 0.5


def test_it_is_the_weighted_mean_of_what_is_missing():
    """In a small picture, where each pixel is looked at by itself, against the formula."""
    ab, L, hints = picture()
    places = [(3, 4, (0.5, 0.2)), (40, 60, (-0.3, 0.1)), (20, 30, (0.0, -0.4))]
    for row, column, color in places:
        put(hints, row, column, color)
    found = correct_by_hints(ab, L, hints)[0]
    for row, column in [(0, 0), (3, 4), (19, 33), (47, 63)]:
        total, correction = 0.1, np.zeros(2)
        for there, across, color in places:
            distance = ((row - there) ** 2 + (column - across) ** 2) / 24**2
            distance += ((L[0, 0, row, column] - L[0, 0, there, across]) / 0.15) ** 2
            distance += (((ab[0, :, row, column] - ab[0, :, there, across]) / 0.06) ** 2).sum()
            weight = np.exp(-distance / 2)
            total += weight
            correction += weight * (color - ab[0, :, there, across])
        wanted = ab[0, :, row, column] + correction / total
        np.testing.assert_allclose(found[:, row, column], wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (130, 211), (512, 768), (64, 9000)])
def test_a_hint_fills_its_thing_and_stops_at_its_edge(size):
    height, width = size
    L = np.full((1, 1, height, width), -0.5, np.float32)
    L[..., : width // 2] = 0.5
    ab, hints = np.zeros((1, 2, height, width), np.float32), np.zeros((1, 3, height, width))
    put(hints, height // 2, width // 4, (0.4, -0.2), side=3)
    found = correct_by_hints(ab, L, hints.astype(np.float32))[0]
    thing = found[:, height // 2 - 5 : height // 2 + 5, width // 4 - 5 : width // 4 + 5]
    np.testing.assert_allclose(thing.mean(axis=(1, 2)), (0.4, -0.2), rtol=0.1)
    edge = 2 * int(np.ceil(np.sqrt(height * width / 8192)))
    assert np.abs(found[..., width // 2 + edge :]).max() < 1e-3


def test_a_thousand_hints_are_followed():
    ab, L, hints = picture(600, 800)
    rows, columns = np.random.default_rng(1).integers(0, 600, (2, 1000))
    hints[0, :, rows, columns] = (0.2, 0.2, 1)
    found = correct_by_hints(ab, L, hints)
    before, after = (np.abs(x[0, :, rows, columns] - 0.2).mean() for x in (ab, found))
    assert after < before / 2
