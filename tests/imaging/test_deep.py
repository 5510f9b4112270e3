"""Scans of 16 bits: nothing of their luminance is thrown away."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from conftest import one_line, pix2color
from PIL import Image
from skimage import color, data, transform

SCAN = transform.resize(data.camera(), (301, 402)) ** 1.3 * 50_000 + 5_000
SCAN = SCAN.round().astype(np.uint16)


def colors_of(path):
    """The pixels of a 16-bit file, read without Pillow."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    content, at, pixels = path.read_bytes(), 8, b""
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, chunk = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, bits, color_type = struct.unpack_from(">IIBB", chunk)
            assert (bits, color_type) == (16, 2)
        pixels += chunk if kind == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(pixels), np.uint8).reshape(height, 1 + width * 6)
    assert not rows[:, 0].any()
    return rows[:, 1:].copy().view(">u2").reshape(height, width, 3).astype(np.uint16)


@pytest.fixture
def scan(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Contax"
    path = tmp_path / "scan.tif"
    Image.fromarray(SCAN).save(path, dpi=(600, 600), exif=exif)
    return path


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_luminance_is_kept_to_the_last_bits(scan, tmp_path, ending):
    done = pix2color("colorize", scan, "--depth", 16, "--format", ending, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "out" / f"scan.{ending}"
    pixels = colors_of(path)
    assert (pixels.shape, pixels.dtype) == ((301, 402, 3), np.uint16)
    lab = color.rgb2lab(pixels / 65535)
    wanted = color.rgb2lab(np.stack([SCAN / 65535] * 3, axis=-1))[..., 0]
    away = np.abs(lab[..., 0] - wanted)
    assert np.quantile(away, 0.99) < 0.01  # a level of 8 bits is 0.4
    assert away.max() < 0.25
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 3
    assert len(np.unique(pixels[..., 1])) > 5_000
    with Image.open(path) as file:
        assert file.info["dpi"] == pytest.approx((600, 600), abs=0.1)
        assert file.getexif()[0x010F] == "Contax"
        assert np.abs(np.asarray(file).astype(int) - (pixels >> 8)).max() <= 1


def test_eight_bits_of_the_same_scan_look_the_same(scan, tmp_path):
    for depth in (8, 16):
        out = tmp_path / str(depth)
        done = pix2color("colorize", scan, "--depth", depth, "--format", "png", "--out", out)
        assert done.returncode == 0, done.stderr
    shallow, deep = (np.asarray(Image.open(tmp_path / d / "scan.png")) for d in ("8", "16"))
    assert np.abs(shallow.astype(int) - deep).mean() < 2


def test_formats_of_eight_bits_are_refused_in_time(scan, tmp_path):
    out = ("--out", tmp_path / "out")
    assert "png or tif" in one_line(
        pix2color("colorize", scan, "--depth", 16, "--format", "jpg", *out), 2
    )
    assert "--format" in one_line(pix2color(scan, "--depth", 16), 2)
    Image.fromarray(data.camera()).save(tmp_path / "a.jpg")
    done = pix2color("colorize", tmp_path / "a.jpg", "--depth", 16, *out)
    assert done.returncode == 1
    assert "a.jpg: JPEG holds 8 bits" in done.stderr
    assert not list((tmp_path / "out").glob("*.*"))
