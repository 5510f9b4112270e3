"""The discriminator that looks through a trained encoder."""

import pytest
import torch

from pix2color.models.registry import build_discriminator


@pytest.fixture
def critic():
    torch.manual_seed(0)
    return build_discriminator("projected", {"weights": "none"})


def pictures(count: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return (torch.rand(count, 3, 64, 96, generator=random) - 0.5) * 0.6


def test_it_judges_every_place_of_four_scales(critic):
    assert critic(pictures(2)).shape == (2, 16 * 24 + 8 * 12 + 4 * 6 + 2 * 3)
    *features, logits = critic.features(pictures(1))
    assert [f.shape[2:] for f in features] == [(2, 3), (4, 6), (8, 12), (16, 24)]
    assert logits.shape == (1, 510)


def test_only_its_heads_learn_and_are_kept(critic):
    critic.train().requires_grad_(True)
    given = pictures(2).requires_grad_(True)
    critic(given).mean().backward()
    assert given.grad[:, 1:].abs().sum() > 0
    assert {name.split(".")[0] for name, _ in critic.named_parameters()} == {"heads"}
    assert all(parameter.grad is not None for parameter in critic.parameters())
    kept = sum(value.numel() for value in critic.state_dict().values())
    assert kept < 0.5e6  # without the encoder's three millions


def test_its_fixed_weights_are_kept_too(critic):
    torch.manual_seed(9)
    twin = build_discriminator("projected", {"weights": "none"})
    twin.load_state_dict(critic.state_dict())
    for name, value in critic.named_buffers():
        assert torch.equal(twin.get_buffer(name), value)


def test_it_learns_to_tell_colours_apart(critic):
    torch.manual_seed(1)
    L = torch.rand(8, 1, 64, 64) - 0.5
    warm = torch.cat([L, torch.full_like(L, 0.2), L.abs()], dim=1)
    cold = torch.cat([L, torch.full_like(L, -0.1), -L.abs()], dim=1)
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
    gaps = []
    for _ in range(12):
        on_warm, on_cold = critic(torch.cat([warm, cold])).chunk(2)
        optimizer.zero_grad()
        (on_cold - on_warm).mean().backward()
        optimizer.step()
        gaps.append((on_warm - on_cold).mean().item())
    assert gaps[-1] > gaps[0] + 0.1
