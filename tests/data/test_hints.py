"""Simulated hints."""

import numpy as np
import pytest
import torch

from pix2color.config.sections import DataConfig, HintsConfig
from pix2color.data.batches import TrainingPhotos
from pix2color.data.hints import hints_from_truth, spread_hints, training_hints
from pix2color.data.sources import collect


def test_a_hint_is_the_mean_colour_of_its_region():
    ab = torch.rand(2, 2, 8, 8) - 0.5
    regions = torch.zeros(2, 8, 8, dtype=torch.uint8)
    regions[1, 2:4, 2:5] = 1
    regions[1, 6, 6] = 200
    hints = hints_from_truth(ab, regions)
    assert hints[0].count_nonzero() == 0
    assert torch.equal(hints[1, 2], (regions[1] > 0).float())
    expected = ab[1, :, 2:4, 2:5].mean((1, 2))
    torch.testing.assert_close(hints[1, :2, 3, 3], expected)
    torch.testing.assert_close(hints[1, :2, 6, 6], ab[1, :, 6, 6])
    assert hints[1, :2, 0].count_nonzero() == 0


def test_more_hints_only_add_some():
    few, many = (
        spread_hints(np.random.default_rng(3), count, side=64, square=6) for count in (5, 50)
    )
    assert set(np.unique(few)) <= set(range(6))
    kept = many[few > 0]
    assert (kept > 0).all()
    assert (many > 0).sum() > (few > 0).sum()


def test_their_number_is_geometric_and_they_stay_in_the_picture():
    counts = [len(np.unique(training_hints(np.random.default_rng(i), 48))) - 1 for i in range(400)]
    assert 4 < np.median(counts) < 8
    assert min(counts) == 0
    assert max(counts) > 20


def test_hints_are_decided_by_seed_epoch_and_place_and_leave_the_pictures_alone(photos):
    def sample(place, share):
        data = DataConfig(crop=48)
        hints = None if share is None else HintsConfig(share=share)
        return TrainingPhotos(collect([photos]), data, 7, hints)[place]

    first = sample((0, 1, 2), 1.0)
    assert torch.equal(first.regions, sample((0, 1, 2), 1.0).regions)
    assert any(not torch.equal(first.regions, sample((0, i, 2), 1.0).regions) for i in range(2, 5))
    plain = sample((0, 1, 2), None)
    assert plain.regions is None
    assert torch.equal(plain.pixels, first.pixels)
    assert sample((0, 1, 2), 0.0).regions.count_nonzero() == 0


@pytest.mark.parametrize("count", [0, 255])
def test_a_picture_has_room_for_none_and_for_all(count):
    regions = spread_hints(np.random.default_rng(0), count, side=256, square=6)
    assert regions.dtype == np.uint8
    assert (regions > 0).any() == (count > 0)
