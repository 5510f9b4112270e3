import numpy as np
import pytest
import torch
from conftest import colour_photos
from skimage import color as reference

from pix2color.color.lab import l_ab_to_rgb, lab_to_rgb, rgb_to_l_ab, rgb_to_lab


@pytest.fixture(params=[np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def library(request):
    return request.param


def batch(pixels: np.ndarray, library=torch.from_numpy):
    return library(pixels.transpose(2, 0, 1)[None])


def picture(channels) -> np.ndarray:
    return np.asarray(channels[0]).transpose(1, 2, 0).astype(np.float64)


def samples() -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    return {"noise": noise, "dark": noise * 0.02, **colour_photos()}


@pytest.mark.parametrize("name", samples())
def test_lab_equals_scikit_image(name, library):
    pixels = samples()[name]
    expected = reference.rgb2lab(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float64))
    lab = rgb_to_lab(batch(pixels, library))
    assert type(lab) is type(library(pixels))
    assert lab.dtype == library(np.zeros(1, np.float32)).dtype
    np.testing.assert_allclose(picture(lab), expected, atol=1e-4)


@pytest.mark.parametrize("name", samples())
def test_rgb_equals_scikit_image(name, library):
    lab = rgb_to_lab(batch(samples()[name], library))
    np.testing.assert_allclose(picture(lab_to_rgb(lab)), reference.lab2rgb(picture(lab)), atol=1e-4)


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_rgb_of_impossible_colours_equals_scikit_image():
    lab = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    lab = lab * torch.tensor([100.0, 220, 220]).view(1, 3, 1, 1) - torch.tensor(
        [0.0, 110, 110]
    ).view(1, 3, 1, 1)
    np.testing.assert_allclose(picture(lab_to_rgb(lab)), reference.lab2rgb(picture(lab)), atol=1e-4)


def test_every_8_bit_photo_comes_back_unchanged():
    for pixels in colour_photos().values():
        original = batch(pixels)
        back = (l_ab_to_rgb(*rgb_to_l_ab(original)) * 255).round().byte()
        assert torch.equal(back, original)


def test_encoding_is_within_the_range_that_networks_see():
    corners = torch.tensor(np.indices((2, 2, 2)).reshape(1, 3, 2, 4), dtype=torch.float32)
    L, ab = rgb_to_l_ab(corners)
    assert L.min() == -1
    assert L.max() == pytest.approx(1, abs=1e-5)
    assert ab.abs().max() < 1


@pytest.mark.parametrize("gamut", ["shrink", "clip"])
def test_only_shrinking_keeps_the_luminance_of_impossible_colours(gamut, library):
    random = np.random.default_rng(1)
    L, ab = (random.uniform(-1, 1, (1, n, 128, 128)).astype(np.float32) for n in (1, 2))
    rgb = l_ab_to_rgb(library(L), library(ab), gamut=gamut)
    moved = np.abs(np.asarray(rgb_to_lab(rgb))[:, 0] - (L[:, 0] + 1) * 50).max()
    assert moved < 0.25 if gamut == "shrink" else moved > 5


def test_shrinking_keeps_hue_and_as_much_chroma_as_there_is():
    L = torch.linspace(-0.9, 0.9, 64).view(1, 1, 8, 8)
    ab = torch.full((1, 2, 8, 8), 0.9)
    lab = rgb_to_lab(l_ab_to_rgb(L, ab))
    a, b = lab[:, 1], lab[:, 2]
    assert torch.allclose(a, b, atol=0.5)
    wider = lab_to_rgb(torch.cat([lab[:, :1], lab[:, 1:] * 1.02], dim=1))
    assert ((wider <= 1e-3) | (wider >= 1 - 1e-3)).any(1).all()


def test_gradients_pass_through_both_directions():
    rgb = torch.rand(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    L, ab = rgb_to_l_ab(rgb)
    l_ab_to_rgb(L, ab * 0.5).sum().backward()
    assert rgb.grad.isfinite().all()
    assert (rgb.grad != 0).all()
    black = torch.zeros(1, 3, 2, 2, requires_grad=True)
    rgb_to_lab(black).sum().backward()
    assert black.grad.isfinite().all()


def test_conversion_stays_float32_under_autocast():
    rgb = torch.rand(1, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        lab = rgb_to_lab(rgb)
        back = lab_to_rgb(lab)
    assert torch.equal(lab, rgb_to_lab(rgb))
    assert torch.allclose(back, rgb, atol=1e-5)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\). Got \(3, 8, 8\)"):
        rgb_to_l_ab(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match=r"\(1, 2, 8, 9\)"):
        l_ab_to_rgb(torch.zeros(1, 1, 8, 8), torch.zeros(1, 2, 8, 9))
