"""Colour at full size: the photo's luminance stays, against the exact way through Lab."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import colour_photos
from PIL import Image
from skimage import data

from pix2color.color.lab import l_ab_to_rgb, lightness, rgb_to_gray, rgb_to_l_ab, rgb_to_lab
from pix2color.color.recompose import Planes, chroma_maps, recompose
from pix2color.metrics import ciede2000


def as_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]


def lightness_of(gray):
    return (lightness(gray) + 1) * 50


def small(gray, truth, side=64):
    """What a network would see and say: gray and ab at a small size."""
    size = (side, round(side * gray.shape[1] / gray.shape[0]))
    ab = F.interpolate(rgb_to_l_ab(as_tensor(truth))[1], size, mode="bilinear", antialias=True)
    seen = Image.fromarray(gray).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(seen), ab[0].numpy()


@pytest.mark.parametrize("saturation", [1, 2])
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_luminance_is_kept_and_colours_are_those_of_the_exact_way(name, saturation):
    truth = colour_photos()[name]
    gray = rgb_to_gray(truth)
    seen, ab = small(gray, truth)
    out = as_tensor(recompose(gray, chroma_maps(seen, ab * saturation)).to_picture())
    lab = rgb_to_lab(out)
    moved = np.abs(lab[0, 0].numpy() - lightness_of(gray))
    assert moved.mean() < 0.3
    assert np.quantile(moved, 0.999) < (2 if saturation == 1 else 3.5)
    full = F.interpolate(torch.from_numpy(ab * saturation)[None], gray.shape, mode="bilinear")
    exact = l_ab_to_rgb(torch.from_numpy(lightness(gray))[None, None], full)
    distance = ciede2000(lab, rgb_to_lab(exact))
    assert distance.mean() < 2
    assert lab[:, 1:].norm(dim=1).mean() > 3  # it is coloured


def test_large_photos_keep_their_luminance_in_cells_of_four():
    truth = np.asarray(Image.fromarray(colour_photos()["coffee"]).resize((1802, 1201)))
    gray = rgb_to_gray(truth)
    seen, ab = small(gray, truth)
    planes = recompose(gray, chroma_maps(seen, ab))
    assert np.array_equal(planes.cb[0:600:2], planes.cb[1:600:2])  # cells of four they are
    lab = rgb_to_lab(as_tensor(planes.to_picture()))
    moved = np.abs(lab[0, 0].numpy() - lightness_of(gray))
    assert moved.mean() < 0.3
    assert np.quantile(moved, 0.999) < 2


@pytest.mark.parametrize("hue", np.arange(0, 360, 30))
def test_every_gray_keeps_its_luminance_under_the_strongest_colours(hue):
    gray = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 8)).repeat(2, axis=0)
    angle = np.deg2rad(hue)
    direction = np.array([np.cos(angle), np.sin(angle)], np.float32)[:, None, None]
    ab = np.broadcast_to(direction * np.float32(90 / 110), (2, 64, 8))
    planes = recompose(gray, chroma_maps(gray[::8], ab))
    lab = rgb_to_lab(as_tensor(planes.to_picture()))
    moved = np.abs(lab[0, 0].numpy() - lightness_of(gray))
    assert moved.mean() < 0.8
    assert moved.max() < 4
    assert lab[0, 1:, 200:300].norm(dim=0).mean() > 20


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (33, 64), (64, 33), (101, 57), (98, 99)])
def test_any_size(size):
    gray = np.full(size, 120, np.uint8)
    maps = chroma_maps(np.full((5, 6), 120, np.uint8), np.full((2, 5, 6), 0.2, np.float32))
    planes = recompose(gray, maps)
    assert planes.y.shape == size
    assert planes.cb.shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    picture = np.asarray(planes.to_picture())
    assert picture.shape == (*size, 3)
    assert (picture == picture[0, 0]).all()


@pytest.mark.parametrize("factor", [1, 3])  # cells of 2 x 2 and of 4 x 4
def test_blocks_leave_no_seams(factor, monkeypatch):
    gray = data.camera().repeat(factor, 0).repeat(factor, 1)
    ab = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 60, 80)).astype(np.float32)
    maps = chroma_maps(gray[:60, :80], ab)
    whole = recompose(gray, maps)
    monkeypatch.setattr("pix2color.color.recompose.BLOCK_PIXELS", 1000)
    pieces = recompose(gray, maps)
    for name in ("y", "cb", "cr"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name)), name


def test_no_chroma_is_the_photo_itself():
    maps = chroma_maps(data.camera()[:8, :8], np.zeros((2, 8, 8), np.float32))
    planes = recompose(data.camera(), maps)
    assert np.array_equal(planes.y, data.camera())
    assert set(np.unique(planes.cb)) | set(np.unique(planes.cr)) == {128}


def test_ycbcr_is_that_of_jpeg():
    y, cb, cr = (np.full((2, 2), v, np.uint8) for v in (100, 90, 170))
    picture = Planes(y, cb[:1, :1], cr[:1, :1]).to_picture()
    exact = [100 + 1.402 * 42, 100 + 0.344136 * 38 - 0.714136 * 42, 100 - 1.772 * 38]
    assert picture.getpixel((0, 0)) == tuple(round(v) for v in exact)


def test_gray_of_a_colour_has_its_luminance():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    truth = rgb_to_lab(as_tensor(rgb))[0, 0].numpy()
    assert np.abs(lightness_of(rgb_to_gray(rgb)) - truth).max() < 0.3
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(rgb_to_gray(np.stack([gray] * 3, axis=-1)), gray)
