"""What networks do with hints."""

import torch

from pix2color.models.hints import HintAttention, reduced_hints


def test_a_cell_has_the_mean_of_its_hints():
    hints = torch.zeros(1, 3, 5, 4)
    hints[0, :, 0, 0] = torch.tensor([0.2, -0.4, 1])
    hints[0, :, 1, 1] = torch.tensor([0.4, 0.0, 1])
    hints[0, :, 4, 3] = torch.tensor([-0.6, 0.1, 1])
    reduced = reduced_hints(hints, 1)
    assert reduced.shape == (1, 3, 3, 2)
    torch.testing.assert_close(reduced[0, :, 0, 0], torch.tensor([0.3, -0.2, 1]))
    torch.testing.assert_close(reduced[0, :, 2, 1], torch.tensor([-0.6, 0.1, 1]))
    assert reduced[0, :, 1].count_nonzero() == 0


def test_attention_spreads_a_hint_to_what_is_alike():
    torch.manual_seed(0)
    attention = HintAttention(8)
    attention.key.load_state_dict(attention.query.state_dict())
    features = torch.randn(8, 1, 1).repeat(1, 6, 12)
    features[:, :, 6:] = torch.randn(8, 1, 1)  # another thing
    hints = torch.zeros(1, 3, 6, 12)
    hints[0, :, 2, 4] = torch.tensor([0.5, 0.25, 1])
    with torch.no_grad():
        spread = attention(features[None], hints).view(4, 3, 6, 12)
    belief = spread[:, 2]
    assert belief[0, 2, 5] > belief[0, 2, 6]  # as far away, on the other thing
    assert belief[0, 2, 4] == belief[0].max()
    torch.testing.assert_close(spread[0, 1] * 2, spread[0, 0])  # the hint's own colour


def test_attention_gives_nothing_without_hints_and_takes_more_than_it_has_room_for():
    attention = HintAttention(4)
    features = torch.randn(2, 4, 20, 20)
    assert attention(features, torch.zeros(2, 3, 20, 20)).count_nonzero() == 0
    assert attention(features, torch.ones(2, 3, 20, 20)).isfinite().all()
