"""Telling colour photos from gray and toned ones."""

import numpy as np
import pytest
import torch
from conftest import colour_photos
from PIL import Image
from skimage import data

from pix2color.color.lab import lightness, rgb_to_lab
from pix2color.imaging.grayscale import gray_photo, read_gray_photo


def toned(gray, tint):
    g = gray / 255
    if tint == "sepia":
        out = np.stack([0.95 * g + 0.05, 0.85 * g + 0.04, 0.6 * g + 0.03], axis=-1)
    elif tint == "selenium":
        out = np.stack([g**0.9, g, g**0.85], axis=-1)
    else:  # faded, and yellowed from one corner
        down, across = np.mgrid[0 : 1 : len(g) * 1j, 0 : 1 : g.shape[1] * 1j]
        out = np.stack([0.7 * g + 0.25, 0.65 * g + 0.2, 0.5 * g + 0.2 - 0.12 * down * across], -1)
    noise = np.random.default_rng(0).normal(0, 0.01, out.shape)
    return Image.fromarray(((out + noise).clip(0, 1) * 255).astype(np.uint8))


class TestColour:
    @pytest.mark.parametrize("tint", ["sepia", "selenium", "stained"])
    def test_a_toned_photo_is_read_by_its_luminance(self, tint, write_photo):
        path = write_photo("old.jpg", toned(data.camera(), tint), quality=85)
        photo = read_gray_photo(path)
        assert not photo.has_color
        pixels = np.array(Image.open(path))
        truth = rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0, 0].numpy()
        moved = np.abs((lightness(photo.gray) + 1) * 50 - truth)
        assert moved.mean() < 0.3
        assert np.quantile(moved, 0.999) < 2

    @pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
    def test_a_colour_photo_is_told_apart(self, name, write_photo):
        picture = Image.fromarray(colour_photos()[name])
        for path in (write_photo("a.jpg", picture), write_photo("a.png", picture)):
            assert read_gray_photo(path).has_color

    def test_a_flat_tint_is_no_colour(self):
        assert not gray_photo(Image.new("RGB", (50, 40), (200, 180, 140))).has_color


def framed(picture, color):
    page = Image.new("RGB", (picture.width + 120, picture.height + 120), color)
    page.paste(picture, (60, 60))
    return page


def patches(picture):
    out = np.array(picture)
    colors = np.array([(0, 128, 180), (50, 150, 80), (240, 220, 50), (200, 50, 50), (255,) * 3])
    out[-30:] = colors[np.arange(out.shape[1]) * len(colors) // out.shape[1]]
    return Image.fromarray(out)


def faded(pixels):
    gray = pixels.mean(2, keepdims=True)
    out = (64 + 0.6 * (gray + 0.5 * (pixels - gray))) * [1.08, 0.92, 0.86]
    return Image.fromarray(out.clip(0, 255).astype(np.uint8))


class TestColourOrNot:
    @pytest.mark.parametrize("around", [(76, 56, 33), (30, 90, 50), (250, 248, 240)])
    @pytest.mark.parametrize("tint", ["sepia", "selenium", "stained"])
    def test_what_is_around_a_photo_does_not_count(self, tint, around, write_photo):
        for picture in (toned(data.camera(), tint), Image.fromarray(data.camera()).convert("RGB")):
            photo = read_gray_photo(write_photo("a.jpg", framed(picture, around), quality=90))
            assert not photo.has_color
        assert read_gray_photo(
            write_photo("a.jpg", framed(Image.fromarray(data.coffee()), around))
        ).has_color

    def test_a_scanners_strip_and_a_stamp_do_not_count(self, write_photo):
        with_strip = patches(toned(data.camera(), "sepia"))
        stamped = with_strip.copy()
        stamped.paste((115, 25, 90), (30, 30, 170, 80))
        for picture in (with_strip, framed(with_strip, (76, 56, 33)), stamped):
            assert not read_gray_photo(write_photo("a.jpg", picture, quality=90)).has_color

    def test_fringes_of_channels_that_lie_beside_each_other_are_no_colour(self):
        gray = data.camera()
        shifted = np.stack([np.roll(gray, -2, 1), gray, np.roll(gray, 2, 1)], axis=-1)
        assert not gray_photo(Image.fromarray(shifted)).has_color

    @pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
    def test_a_faded_colour_photo_is_in_colour(self, name):
        assert gray_photo(faded(colour_photos()[name])).has_color

    def test_what_is_clear_does_not_count(self):
        picture = Image.fromarray(data.camera()).convert("RGB")
        picture.paste((40, 200, 60), (0, 0, 512, 250))
        alpha = Image.new("L", picture.size, 255)
        alpha.paste(0, (0, 0, 512, 250))
        assert gray_photo(picture).has_color
        picture.putalpha(alpha)
        assert not gray_photo(picture).has_color
        assert not gray_photo(Image.new("RGBA", (90, 80), (200, 0, 0, 0))).has_color

    @pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (20, 30)])
    def test_pictures_of_any_size_are_measured(self, size):
        picture = Image.fromarray(data.astronaut()).resize(size)
        assert gray_photo(picture).gray.shape == size[::-1]

    def test_small_pictures_that_are_nearly_all_frame_are_measured(self):
        for side in range(1, 48):
            for margin in (1, 3, side // 3):
                picture = np.full((side, side, 3), (30, 90, 50), np.uint8)
                inside = np.s_[margin : side - margin, margin : side - margin]
                picture[inside] = data.coffee()[:side, :side][inside]
                assert np.isfinite(gray_photo(Image.fromarray(picture)).color)
