import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import wasserstein_distance
from skimage import data
from skimage.metrics import structural_similarity

from pix2color.color.lab import AB_SCALE, rgb_to_l_ab
from pix2color.errors import ModelError
from pix2color.losses import ADVERSARIAL, RECONSTRUCTION, l1
from pix2color.metrics import rarity_weights
from pix2color.models.features import FeatureDistance
from pix2color.models.timm_encoders import timm

LOGITS = torch.tensor([[-2.0, 0.5], [0.0, 3.0]])


def test_l1_is_float32_whatever_comes_in():
    loss = l1(torch.ones(2, 2, dtype=torch.bfloat16), torch.full((2, 2), 0.25))
    assert loss.dtype == torch.float32
    assert loss.item() == 0.75


def photo() -> tuple[torch.Tensor, torch.Tensor]:
    rgb = torch.from_numpy(data.astronaut()[:64, 200:264].copy()).permute(2, 0, 1)[None]
    return rgb_to_l_ab(rgb)


@pytest.mark.parametrize("name", RECONSTRUCTION)
def test_every_loss_is_nothing_for_the_truth_and_pulls_towards_it(name):
    _, truth = photo()
    assert RECONSTRUCTION[name](truth, truth).item() == pytest.approx(0, abs=1e-6)
    prediction = torch.zeros_like(truth, requires_grad=True)
    loss = RECONSTRUCTION[name](prediction, truth)
    (slope,) = torch.autograd.grad(loss, prediction)
    assert RECONSTRUCTION[name](prediction - 0.1 * slope / slope.norm(), truth) < loss
    assert RECONSTRUCTION[name](prediction.bfloat16(), truth).dtype == torch.float32


def test_losses_by_hand():
    prediction, truth = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    prediction[0, 0, 0, 0], prediction[0, 1, 1, 1] = 0.4, -0.05
    assert RECONSTRUCTION["mse"](prediction, truth).item() == pytest.approx((0.16 + 0.0025) / 8)
    smooth = (0.4 - 0.05) + 0.5 * 0.0025 / 0.1  # absolute above 0.1, squared below
    assert RECONSTRUCTION["smooth_l1"](prediction, truth).item() == pytest.approx(smooth / 8)
    assert RECONSTRUCTION["gradient"](prediction, truth).item() == pytest.approx((0.45 + 0.45) / 4)


def test_ssim_is_scikit_images():
    _, truth = photo()
    other = truth.flip(3)
    pair = [((ab[0] + 1) / 2).double().numpy() for ab in (other, truth)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(*pair, channel_axis=0, data_range=1, **options)
    assert RECONSTRUCTION["ssim"](other, truth).item() == pytest.approx(1 - expected, abs=1e-4)


def test_rarity_weighs_errors_at_rare_colours_more():
    truth = torch.zeros(1, 2, 20, 20)
    truth[:, 0, :2] = 0.6  # a tenth of the picture is red
    weights = rarity_weights(truth * AB_SCALE)
    assert weights[0, 0, 0] > 5 * weights[0, 19, 0]
    at_gray, at_red = truth.clone(), truth.clone()
    at_gray[..., 19, 0] += 0.1
    at_red[..., 0, 0] += 0.1
    assert RECONSTRUCTION["rarity"](at_red, truth) > 5 * RECONSTRUCTION["rarity"](at_gray, truth)


def test_statistics_are_of_all_pixels_wherever_they_are():
    _, truth = photo()
    statistics = RECONSTRUCTION["statistics"]
    moved = truth.roll((8, 20), (2, 3)).flip(3).roll(1, 3)  # the same pixels are looked at
    assert statistics(moved, truth).item() == pytest.approx(0, abs=1e-6)
    assert l1(moved, truth) > 0.01
    prediction = truth * 0.5 + 0.02
    colors = [ab[0, :, ::4, ::4].flatten(1).numpy() for ab in (prediction, truth)]
    turns = [(math.cos(k * math.pi / 8), math.sin(k * math.pi / 8)) for k in range(8)]
    distances = [wasserstein_distance(*(np.dot(turn, c) for c in colors)) for turn in turns]
    assert statistics(prediction, truth).item() == pytest.approx(np.mean(distances), rel=1e-4)


def test_feature_distance(tmp_path):
    path = tmp_path / "lite0.pth"
    torch.manual_seed(0)
    torch.save(timm.create_model("tf_efficientnet_lite0").state_dict(), path)
    distance = FeatureDistance(str(path))
    L, truth = photo()
    assert distance(L, truth, truth).item() == 0
    prediction = torch.zeros_like(truth, requires_grad=True)
    distance(L, prediction, truth).backward()
    assert prediction.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in distance.parameters())
    torch.save(timm.create_model("resnet18").state_dict(), path)
    with pytest.raises(ModelError, match="lite0"):
        FeatureDistance(str(path))


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
