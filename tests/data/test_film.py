"""What film does to a photo, effect by effect, against the same made in another way."""

import io

import click
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data

from pix2color.cli.evaluate import evaluate
from pix2color.color.lab import LUMINANCE, lightness_on_film, rgb_to_l_ab
from pix2color.config.schema import FilmConfig
from pix2color.data import film
from pix2color.data.film import AGEING, EFFECTS, apply_effects, mix_channels, simulate_film
from pix2color.evaluation.systems import INPUTS

SIZE = 96


@pytest.fixture
def pixels() -> torch.Tensor:
    """uint8 (4, 3, SIZE, SIZE), of faces, a cat and coffee."""
    pictures = [data.astronaut(), data.astronaut()[:, 120:], data.chelsea(), data.coffee()]
    squares = [p[40 : 40 + 2 * SIZE : 2, 60 : 60 + 2 * SIZE : 2] for p in pictures]
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture
def light(pixels) -> torch.Tensor:
    return (rgb_to_l_ab(pixels)[0] + 1) / 2


def amounts(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def test_the_effects_are_those_of_the_recipe_and_of_the_command_line():
    assert {"share", *EFFECTS} == set(FilmConfig.model_fields)
    (option,) = [p for p in evaluate.params if p.name == "given"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == INPUTS


@pytest.mark.parametrize("name", EFFECTS)
def test_no_amount_is_no_effect_and_the_full_amount_is_seen(name, pixels, light):
    torch.manual_seed(0)
    none, full = (
        mix_channels(pixels, a.flatten()) if name == "mix" else AGEING[name](light, a)
        for a in (amounts(0, 0, 0, 0), amounts(1, 1, 1, 1))
    )
    assert torch.allclose(none, light, atol=1e-3)
    assert full.shape == light.shape
    assert ((full - light).abs().mean((1, 2, 3)) > 2e-3).all()


def test_a_share_of_the_pictures_is_changed(pixels):
    L, _ = rgb_to_l_ab(pixels)
    many, same = pixels.repeat(50, 1, 1, 1), L.repeat(50, 1, 1, 1)
    torch.manual_seed(0)
    changed = (simulate_film(many, FilmConfig(share=0.5)) - same).abs().amax((1, 2, 3)) > 1e-3
    assert 0.4 < changed.float().mean() < 0.6
    assert torch.allclose(simulate_film(pixels, FilmConfig(share=0)), L, atol=1e-3)


def test_the_same_seed_makes_the_same_pictures(pixels):
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(simulate_film(pixels, FilmConfig(share=1)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert found[0].dtype == torch.float32
    assert found[0].abs().max() <= 1


def test_an_effect_without_strength_never_happens(pixels):
    L, _ = rgb_to_l_ab(pixels)
    nothing = FilmConfig(share=1, **dict.fromkeys(EFFECTS, 0.0))
    assert torch.allclose(simulate_film(pixels, nothing), L, atol=1e-5)
    torch.manual_seed(0)
    for name in EFFECTS:
        assert not torch.allclose(apply_effects(pixels, (name,)), L, atol=1e-2)


def test_the_eyes_sensitivity_is_lightness_and_blue_film_sees_red_as_black():
    patches = torch.tensor([[255, 0, 0], [0, 0, 255], [128, 128, 128]], dtype=torch.uint8)
    pixels = patches.view(3, 3, 1, 1)
    own = torch.tensor(LUMINANCE).expand(3, 3)
    assert torch.allclose(lightness_on_film(pixels, own), rgb_to_l_ab(pixels)[0], atol=1e-5)
    blue = torch.tensor([0.0, 0.0, 1.0]).expand(3, 3)
    red, blue, gray = lightness_on_film(pixels, blue).flatten()
    assert red == pytest.approx(-1, abs=1e-5)
    assert blue == pytest.approx(1, abs=1e-5)
    assert gray == pytest.approx(rgb_to_l_ab(pixels)[0][2].item(), abs=1e-5)  # as bright as ever


def test_the_blur_is_a_gaussian(light):
    ours = film.blur(light, amounts(0.3, 0.5, 0.8, 1.0))
    for picture, before, amount in zip(ours, light, (0.3, 0.5, 0.8, 1.0), strict=True):
        sigma = film.MAX_BLUR * amount
        truth = gaussian_filter(before[0].numpy(), sigma, mode="nearest", radius=film.BLUR_RADIUS)
        np.testing.assert_allclose(picture[0].numpy(), truth, atol=1e-5)


def test_blocks_are_those_of_a_jpeg_file(light):
    pixels = (light[0, 0] * 255).round()
    quality, _ = film.JPEG_QUALITIES
    ours = film.compress(pixels[None, None] / 255, amounts(1.0))[0, 0] * 255
    file = io.BytesIO()
    Image.fromarray(pixels.byte().numpy()).save(file, "jpeg", quality=quality)
    truth = torch.from_numpy(np.asarray(Image.open(file)).copy()).float()
    assert (ours.clamp(0, 255) - truth).abs().mean() < 0.2 * (truth - pixels).abs().mean()


def test_a_side_that_is_no_multiple_of_eight_keeps_its_size():
    pixels = torch.randint(0, 256, (2, 3, 37, 50), dtype=torch.uint8)
    assert apply_effects(pixels, EFFECTS).shape == (2, 1, 37, 50)


def test_tones_keep_their_order_and_fading_narrows_them(light):
    torch.manual_seed(0)
    ramp = torch.linspace(0.01, 1, 64).expand(8, 1, 8, 64)
    toned = film.change_tone(ramp, torch.ones(8, 1, 1, 1))
    assert (toned.diff(dim=3) > 0).all()
    faded = film.fade(ramp, torch.ones(8, 1, 1, 1))
    assert (faded.diff(dim=3) > 0).all()
    spans = faded.amax((1, 2, 3)) - faded.amin((1, 2, 3))
    assert (spans < 0.99).all()
    assert (spans > 0.4).all()


def test_grain_is_noise_around_what_was_there():
    torch.manual_seed(0)
    gray = torch.full((1, 1, 256, 256), 0.5)
    noise = film.add_grain(gray, amounts(1.0)) - gray
    assert noise.mean().abs() < 1e-3
    assert 0.7 * film.MAX_GRAIN < noise.std() < film.MAX_GRAIN
    dark = film.add_grain(gray * 0, amounts(1.0))
    assert dark.std() < noise.std() / 2
