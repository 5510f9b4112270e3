"""``pix2color colorize`` on real files."""

import json
import shutil

import numpy as np
import pytest
import torch
from conftest import one_line, pix2color
from PIL import Image
from skimage import data

from pix2color import color
from pix2color.colorizer import Colorizer
from pix2color.models import Generator
from pix2color.models.files import ModelInfo


@pytest.fixture
def album(tmp_path, write_photo):
    """Gray photos of several kinds, two levels deep."""
    camera = Image.fromarray(data.camera())
    write_photo("album/camera.jpg", camera.resize((301, 203)))
    write_photo("album/deep/er/tall.png", camera.resize((50, 171)))
    write_photo("album/deep/tiny.png", camera.resize((3, 2)))
    write_photo("album/old.gif", camera.resize((64, 48)))
    exif = Image.Exif()
    exif[0x0112] = 6
    write_photo("album/turned.jpg", camera.resize((80, 40)), exif=exif)
    return tmp_path / "album"


def lightness(path):
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return color.rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0, 0].numpy()


def test_a_folder_is_mirrored_with_size_and_luminance_kept(album, pretrained, tmp_path):
    out = tmp_path / "out"
    result = pix2color("colorize", album, "--model", pretrained, "--out", out)
    assert result.returncode == 0, result.stderr
    made = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    assert sorted(made) == [
        "camera.jpg",
        "deep/er/tall.png",
        "deep/tiny.png",
        "old.png",
        "turned.jpg",
    ]
    assert Image.open(made["turned.jpg"]).size == (40, 80)
    for name in ("deep/er/tall.png", "deep/tiny.png"):
        assert Image.open(made[name]).size == Image.open(album / name).size
        moved = np.abs(lightness(made[name]) - lightness(album / name))
        assert moved.mean() < 0.3
        assert moved.max() < 1
    assert "5 photos coloured, 0 failed" in result.stdout


def test_files_and_json(album, pretrained, tmp_path):
    (album / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    files = [album / "camera.jpg", album / "broken.jpg"]
    result = pix2color("colorize", *files, "--model", pretrained, "--out", out, "--json")
    assert result.returncode == 3
    outcomes = json.loads(result.stdout)
    assert [o["error"] is None for o in outcomes] == [True, False]
    assert "broken.jpg" in outcomes[1]["error"]
    assert [p.name for p in out.iterdir()] == ["camera.jpg"]


def test_all_failed_is_failed(album, pretrained, tmp_path):
    (album / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    result = pix2color("colorize", album / "broken.jpg", "--model", pretrained, "--out", out)
    assert result.returncode == 1
    assert not out.exists()


def test_originals_are_never_overwritten(album, pretrained):
    before = {p: p.read_bytes() for p in album.rglob("*") if p.is_file()}
    told = one_line(pix2color("colorize", album, "--model", pretrained, "--out", album), 2)
    assert "overwrite" in told
    told = one_line(
        pix2color("colorize", album / "camera.jpg", "--model", pretrained, "--out", album), 2
    )
    assert "camera.jpg" in told
    assert before == {p: p.read_bytes() for p in album.rglob("*") if p.is_file()}


def test_two_photos_never_become_one_file(album, pretrained, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(album / "camera.jpg", other)
    result = pix2color(
        *("colorize", album / "camera.jpg", other / "camera.jpg", "--model", pretrained),
        *("--out", tmp_path / "out"),
    )
    assert "both" in one_line(result, 2)


def test_wrong_paths_are_named(album, pretrained, tmp_path):
    (tmp_path / "m.safetensors").write_text("<!doctype html>")
    (tmp_path / "empty").mkdir()
    out = ("--out", tmp_path / "out")
    for code, told, *words in (
        (2, "nothing.jpg", "nothing.jpg", "--model", pretrained),
        (2, "norun", album, "--model", "norun"),
        (1, "web page", album, "--model", tmp_path / "m.safetensors"),
        (1, "no photo", tmp_path / "empty", "--model", pretrained),
    ):
        assert told in one_line(pix2color("colorize", *words, *out), code)
    assert not (tmp_path / "out").exists()


class Constant(Generator):
    """Paints everything in one colour and notes what it was shown."""

    def forward(self, L):
        self.seen = L
        return torch.tensor([0.1, -0.2]).view(1, 2, 1, 1).expand(len(L), 2, *L.shape[2:])


class TestColorizer:
    @pytest.mark.parametrize(
        ("size", "seen"), [((400, 600), (256, 384)), ((90, 50), (90, 50)), ((512, 256), (512, 256))]
    )
    def test_the_network_sees_the_render_size_unsquashed(self, size, seen):
        colorizer = Colorizer(Constant(), ModelInfo("constant"))
        colorizer(np.zeros((3, *size), np.uint8))
        assert colorizer.generator.seen.shape == (1, 1, *seen)

    def test_the_size_of_training_is_the_default(self):
        pixels = np.zeros((3, 400, 400), np.uint8)
        for asked, seen in ((None, 128), (200, 200)):
            info = ModelInfo("constant", render_size=128)
            colorizer = Colorizer(Constant(), info, render_size=asked)
            colorizer(pixels)
            assert colorizer.generator.seen.shape[2:] == (seen, seen)

    def test_the_colour_it_says_is_the_colour_it_gets(self):
        pixels = np.full((3, 40, 50), 130, np.uint8)
        out = Colorizer(Constant(), ModelInfo("constant"))(pixels)
        lab = color.rgb_to_lab(torch.from_numpy(out)[None]).mean((0, 2, 3))
        assert lab[1:].tolist() == pytest.approx([11, -22], abs=0.5)

    def test_strips_leave_no_seams(self, monkeypatch):
        pixels = np.repeat(data.camera()[None], 3, axis=0)
        colorizer = Colorizer(Constant(), ModelInfo("constant"))
        whole = colorizer(pixels)
        monkeypatch.setattr("pix2color.colorizer._STRIP_PIXELS", 3000)
        assert np.array_equal(colorizer(pixels), whole)
