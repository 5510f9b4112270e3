import pytest
import torch
import torch.nn.functional as F

from pix2color.losses import ADVERSARIAL, l1

LOGITS = torch.tensor([[-2.0, 0.5], [0.0, 3.0]])


def test_l1_is_float32_whatever_comes_in():
    loss = l1(torch.ones(2, 2, dtype=torch.bfloat16), torch.full((2, 2), 0.25))
    assert loss.dtype == torch.float32
    assert loss.item() == 0.75


def test_hinge():
    hinge = ADVERSARIAL["hinge"].criterion
    assert hinge(LOGITS, real=True).item() == pytest.approx((3 + 0.5 + 1 + 0) / 4)
    assert hinge(LOGITS, real=False).item() == pytest.approx((0 + 1.5 + 1 + 4) / 4)
    assert hinge(LOGITS, real=True, for_generator=True).item() == -LOGITS.mean().item()


def test_vanilla_is_cross_entropy():
    vanilla = ADVERSARIAL["vanilla"].criterion
    assert torch.allclose(vanilla(LOGITS, real=True), F.softplus(-LOGITS).mean())
    assert torch.allclose(vanilla(LOGITS, real=False), F.softplus(LOGITS).mean())


def test_lsgan_is_least_squares():
    lsgan = ADVERSARIAL["lsgan"].criterion
    assert lsgan(LOGITS, real=True).item() == pytest.approx((9 + 0.25 + 1 + 4) / 4)
    assert lsgan(LOGITS, real=False).item() == pytest.approx((4 + 0.25 + 0 + 9) / 4)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_both_sides_pull_logits_apart(name):
    """The critic's losses and the generator's point in opposite directions on a fake."""
    criterion, decision = ADVERSARIAL[name]
    logits = torch.tensor([decision], requires_grad=True)
    critic = torch.autograd.grad(criterion(logits, real=False), logits)[0]
    generator = torch.autograd.grad(criterion(logits, real=True, for_generator=True), logits)[0]
    assert critic > 0 > generator
