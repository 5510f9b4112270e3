"""Adjustments of predicted colours."""

import numpy as np
import pytest
from conftest import colour_photos

from pix2color.color.lab import AB_SCALE, rgb_to_l_ab
from pix2color.errors import UsageError
from pix2color.inference.adjust import ChromaStatistics, adjust
from pix2color.inference.options import ColorizeOptions


def photo(name):
    return colour_photos()[name].transpose(2, 0, 1)


def ab_of(name):
    return rgb_to_l_ab(photo(name)[None])[1][0]


def test_a_transfer_matches_mean_and_covariance():
    like = ChromaStatistics.from_rgb(photo("coffee"))
    points = like.transfer_to(ab_of("astronaut") * 0.8).reshape(2, -1)
    np.testing.assert_allclose(points.mean(1), like.mean, atol=1e-4)
    np.testing.assert_allclose(np.cov(points), like.covariance, atol=2e-4)


def test_its_own_statistics_changes_nothing():
    ab = ab_of("astronaut")
    moved = ChromaStatistics.from_rgb(photo("astronaut")).transfer_to(ab)
    np.testing.assert_allclose(moved, ab, atol=1e-3)


def test_hardly_any_colour_is_not_blown_up():
    ab = np.random.default_rng(0).normal(0, 0.01, (2, 20, 20)).astype(np.float32)
    out = ChromaStatistics.from_rgb(photo("coffee")).transfer_to(ab)
    assert out.std(axis=(1, 2)).max() < 0.05


def test_gray_references_are_refused():
    with pytest.raises(UsageError, match="no colours"):
        ChromaStatistics.from_rgb(np.full((3, 8, 8), 120, np.uint8))


def test_saturation_and_temperature():
    ab = np.full((2, 4, 4), 0.1, np.float32)
    assert np.array_equal(adjust(ab, ColorizeOptions()), ab)
    np.testing.assert_allclose(adjust(ab, ColorizeOptions(saturation=2)), ab * 2)
    warm, cool = (adjust(ab, ColorizeOptions(temperature=t)) - ab for t in (50, -50))
    np.testing.assert_allclose(warm, -cool, atol=1e-7)
    assert warm[1, 0, 0] * AB_SCALE == pytest.approx(8, rel=1e-5)
