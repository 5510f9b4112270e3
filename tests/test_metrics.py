import math

import numpy as np
import pytest
import torch
from conftest import colour_photos
from scipy.stats import wasserstein_distance
from skimage import color as reference_color
from skimage import metrics as reference

from pix2color import metrics
from pix2color.color.lab import rgb_to_lab


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Two photos, (1, 3, 180, 240) in [0, 1]."""
    photos = colour_photos()
    return tuple(
        torch.from_numpy(photos[name][:180, :240]).permute(2, 0, 1)[None] / 255
        for name in ("astronaut", "coffee")
    )


def picture(tensor):
    return tensor[0].permute(1, 2, 0).double().numpy()


def test_psnr_equals_scikit_image(pair):
    expected = reference.peak_signal_noise_ratio(picture(pair[1]), picture(pair[0]), data_range=1)
    assert metrics.psnr(*pair).item() == pytest.approx(expected, abs=1e-4)


def test_ssim_equals_scikit_image(pair):
    expected = reference.structural_similarity(
        *map(picture, pair),
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
    )
    assert metrics.ssim(*pair).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("other", ["photo", "gray", "itself", "noise"])
def test_ciede2000_equals_scikit_image(pair, other):
    a = rgb_to_lab(pair[0])
    b = {
        "photo": rgb_to_lab(pair[1]),
        "gray": a * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1),
        "itself": a,
        "noise": torch.rand(a.shape, generator=torch.Generator().manual_seed(0)) * 160 - 60,
    }[other]
    expected = reference_color.deltaE_ciede2000(picture(a), picture(b))
    np.testing.assert_allclose(metrics.ciede2000(a, b)[0].numpy(), expected, atol=1e-4)


def test_ab_psnr_is_that_of_ab_over_220(pair):
    a, b = (rgb_to_lab(p) for p in pair)
    expected = reference.peak_signal_noise_ratio(
        picture(a)[..., 1:], picture(b)[..., 1:], data_range=220
    )
    assert metrics.ab_psnr(a, b).item() == pytest.approx(expected, abs=1e-4)


def test_colorfulness_follows_its_formula(pair):
    r, g, b = (picture(pair[0]) * 255).transpose(2, 0, 1)
    rg, yb = r - g, (r + g) / 2 - b
    expected = math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())
    assert metrics.colorfulness(pair[0]).item() == pytest.approx(expected, rel=1e-5)
    gray = pair[0].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert metrics.colorfulness(gray).item() == pytest.approx(0, abs=1e-4)


def test_delta_mean_ab_is_the_distance_of_the_mean_colours(pair):
    a, b = (reference_color.rgb2lab(picture(p))[..., 1:].mean((0, 1)) for p in pair)
    found = metrics.picture_scores(*pair)["delta_mean_ab"].item()
    assert found == pytest.approx(np.hypot(*(a - b)), abs=1e-3)


def test_measures_are_one_number_a_picture(pair):
    both = torch.cat(pair)
    scores = metrics.picture_scores(both, both.flip(0))
    alone = metrics.picture_scores(pair[1], pair[0])
    for name, values in scores.items():
        assert values.shape == (2,), name
        assert values[1].item() == pytest.approx(alone[name].item(), rel=1e-4, abs=1e-5), name


def test_gradients_are_finite_even_for_equal_pictures(pair):
    for measure in (metrics.ssim, metrics.psnr):
        x = pair[0].clone().requires_grad_()
        measure(x, pair[1]).sum().backward()
        assert x.grad.isfinite().all()
        assert x.grad.abs().sum() > 0
    truth = rgb_to_lab(pair[0])
    for start in (truth, truth * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)):
        x = start.clone().requires_grad_()
        metrics.ciede2000(x, truth).mean().backward()
        assert x.grad.isfinite().all()


@pytest.fixture(scope="module")
def labs(pair):
    return tuple(rgb_to_lab(p) for p in pair)


@pytest.fixture(scope="module")
def pooled(labs):
    scores = metrics.PooledScores()
    for rows in (slice(0, 100), slice(100, None)):
        scores.add(*(lab[:, :, rows] for lab in labs))
    return scores


class TestPooled:
    def test_equal_pictures_are_perfect(self, labs):
        scores = metrics.PooledScores()
        scores.add(labs[0], labs[0])
        assert scores.ab_js() == 0
        assert scores.chroma_w1() == 0
        assert scores.washout() == 0
        assert scores.auc() == pytest.approx(150 / 151)
        assert scores.auc(rebalanced=True) == pytest.approx(150 / 151)

    def test_ab_js_equals_numpy(self, labs, pooled):
        edges = [np.linspace(-110, 110, 23)] * 2
        p, q = (
            np.histogram2d(*picture(lab)[..., 1:].reshape(-1, 2).T, bins=edges)[0] for lab in labs
        )
        p, q = p / p.sum(), q / q.sum()
        m = (p + q) / 2

        def entropy(x):
            return -(x[x > 0] * np.log2(x[x > 0])).sum()

        expected = entropy(m) - (entropy(p) + entropy(q)) / 2
        assert pooled.ab_js() == pytest.approx(expected, abs=1e-6)

    def test_chroma_w1_equals_scipy(self, labs, pooled):
        chroma = [np.linalg.norm(picture(lab)[..., 1:], axis=-1).ravel() for lab in labs]
        assert pooled.chroma_w1() == pytest.approx(wasserstein_distance(*chroma), abs=0.06)

    def test_washout_counts_vivid_pixels_turned_gray(self, labs):
        prediction, truth = labs[0].clone(), labs[1]
        prediction[:, 1:, :90] = 0
        prediction[:, 1:, 90:] = 50
        vivid = truth[:, 1:].norm(dim=1) > 20
        scores = metrics.PooledScores()
        scores.add(prediction, truth)
        assert scores.washout() == pytest.approx((vivid[:, :90].sum() / vivid.sum()).item())

    def test_auc_equals_its_definition(self, labs, pooled):
        error = np.linalg.norm((picture(labs[0]) - picture(labs[1]))[..., 1:], axis=-1)
        expected = np.mean([(error < t).mean() for t in range(151)])
        assert pooled.auc() == pytest.approx(expected, abs=1e-9)

    def test_rebalancing_weighs_rare_colours_more(self):
        truth = torch.zeros(1, 3, 10, 10)
        truth[:, 1, 0, 0] = 75.0  # one red pixel among 99 gray ones
        wrong_on_rare, wrong_on_common = truth.clone(), truth.clone()
        wrong_on_rare[:, 1, 0, 0] = 0
        wrong_on_common[:, 1, 5, 5] = 75.0
        auc = {}
        for name, prediction in (("rare", wrong_on_rare), ("common", wrong_on_common)):
            scores = metrics.PooledScores()
            scores.add(prediction, truth)
            auc[name] = scores.auc(), scores.auc(rebalanced=True)
        assert auc["rare"][0] == pytest.approx(auc["common"][0])
        assert auc["rare"][1] < auc["common"][1] - 0.05


def test_shapes_that_differ_are_named(pair):
    with pytest.raises(ValueError, match=r"Got \(1, 3, 180, 240\) and \(1, 3, 179, 240\)"):
        metrics.psnr(pair[0], pair[1][:, :, 1:])
    with pytest.raises(ValueError, match="at least 11"):
        metrics.ssim(pair[0][..., :10], pair[1][..., :10])
