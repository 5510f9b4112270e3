"""Adjustments of predicted colours."""

import numpy as np
import pytest
import torch
from conftest import colour_photos

from pix2color.color.lab import AB_SCALE, rgb_to_l_ab
from pix2color.errors import UsageError
from pix2color.inference.adjust import ChromaStatistics, adjust
from pix2color.inference.options import ColorizeOptions


def tensor(name):
    return torch.from_numpy(colour_photos()[name]).permute(2, 0, 1)[None]


def spread(ab):
    return ab[0].flatten(1).mean(1).numpy(), np.cov(ab[0].flatten(1).numpy())


def test_a_transfer_matches_mean_and_covariance():
    ab = rgb_to_l_ab(tensor("astronaut"))[1] * 0.8
    like = ChromaStatistics.from_rgb(tensor("coffee"))
    mean, covariance = spread(like.transfer_to(ab))
    np.testing.assert_allclose(mean, like.mean, atol=1e-4)
    np.testing.assert_allclose(covariance, like.covariance, atol=2e-4)


def test_its_own_statistics_changes_nothing():
    picture = tensor("astronaut")
    ab = rgb_to_l_ab(picture)[1]
    assert (ChromaStatistics.from_rgb(picture).transfer_to(ab) - ab).abs().max() < 1e-3


def test_hardly_any_colour_is_not_blown_up():
    ab = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(0)) * 0.01
    out = ChromaStatistics.from_rgb(tensor("coffee")).transfer_to(ab)
    assert out.flatten(2).std(2).max() < 0.05


def test_gray_references_are_refused():
    with pytest.raises(UsageError, match="no colours"):
        ChromaStatistics.from_rgb(torch.full((1, 3, 8, 8), 120, dtype=torch.uint8))


def test_saturation_and_temperature():
    ab = torch.full((1, 2, 4, 4), 0.1)
    assert torch.equal(adjust(ab, ColorizeOptions()), ab)
    assert torch.allclose(adjust(ab, ColorizeOptions(saturation=2)), ab * 2)
    warm, cool = (adjust(ab, ColorizeOptions(temperature=t)) - ab for t in (50, -50))
    assert torch.allclose(warm, -cool)
    assert warm[0, 1, 0, 0] * AB_SCALE == pytest.approx(8)
