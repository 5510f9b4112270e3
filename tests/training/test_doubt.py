"""The last stage: a head that says where the generator guesses."""

import json

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import one_line, settings
from PIL import Image
from skimage import data

from pix2color import Colorizer
from pix2color.errors import UsageError
from pix2color.models.header import ModelInfo
from pix2color.models.model_file import load_model, save_model
from pix2color.models.registry import build_generator

OPTIONS = {"widths": [8, 8, 8, 8]}
QUICK = [
    "data.crop=48",
    "data.batch_size=4",
    "data.workers=0",
    "data.val_fraction=0.3",
    "validation.size=64",
    "precision=float32",
]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    torch.manual_seed(0)
    generator = build_generator("unet-timm", OPTIONS).eval()
    path = tmp_path_factory.mktemp("doubt") / "start.safetensors"
    save_model(path, generator, ModelInfo("unet-timm", OPTIONS, render_size=48))
    return path


@pytest.fixture(scope="module")
def taught(start, photos):
    words = ["--init", start, "--data", photos, "--runs-dir", start.parent, "--name", "taught"]
    result = invoke("train-doubt", *words, "--max-steps", 40, *settings(*QUICK))
    assert result.returncode == 0, result.stderr
    return start.parent / "taught"


@pytest.mark.xdist_group("doubt")
class TestDoubt:
    def test_the_colours_stay_as_they_are(self, start, taught):
        before, _ = load_model(start)
        after, info = load_model(taught)
        assert info.gives_doubt
        assert not before.gives_doubt
        kept = after.state_dict()
        assert all(torch.equal(value, kept[name]) for name, value in before.state_dict().items())

    def test_it_learns_how_large_the_error_is(self, taught):
        """The colours are nearly gray, so the error is the truth's chroma."""
        curves = map(json.loads, (taught / "metrics.jsonl").read_text().splitlines())
        losses = [line["generator/doubt"] for line in curves if "generator/doubt" in line]
        assert losses[-1] < losses[0] / 2
        scores = load_model(taught)[1].scores
        assert -1 <= scores["doubt_spearman"] <= 1

    def test_it_can_be_taught_further(self, taught, photos):
        words = ["--init", taught, "--data", photos, "--runs-dir", taught.parent, "--name", "more"]
        result = invoke("train-doubt", *words, "--max-steps", 2, *settings(*QUICK))
        assert result.returncode == 0, result.stderr

    def test_colours_that_go_on_learning_lose_it(self, taught, photos):
        """What it says of other features would be wrong."""
        words = ["--init", taught, "--data", photos, "--runs-dir", taught.parent, "--name", "on"]
        assert invoke("pretrain", *words, "--max-steps", 1, *settings(*QUICK)).returncode == 0
        assert not load_model(taught.parent / "on")[1].gives_doubt

    def test_a_map_is_written_beside_the_colours(self, taught, tmp_path):
        photo = tmp_path / "camera.png"
        Image.fromarray(data.camera()[:200, :300]).save(photo)
        words = ("colorize", photo, "--model", taught, "--out", tmp_path / "out", "--device", "cpu")
        assert invoke(*words, "--doubt").returncode == 0
        with Image.open(tmp_path / "out" / "camera.doubt.png") as picture:
            assert (picture.mode, picture.size) == ("L", (300, 200))
            levels = np.asarray(picture)
        expected = Colorizer.load(taught, "cpu").doubt(photo)
        assert expected.shape == (200, 300)
        assert (expected >= 0).all()
        assert expected.std() > 0
        np.testing.assert_allclose(levels, (expected / 50 * 255).clip(0, 255), atol=0.51)

    def test_models_that_give_none_say_so(self, start, tmp_path):
        with pytest.raises(UsageError, match="train-doubt"):
            Colorizer.load(start, "cpu").doubt(data.camera())
        photo = tmp_path / "camera.png"
        Image.fromarray(data.camera()).save(photo)
        words = ("colorize", photo, "--model", start, "--out", tmp_path / "out", "--doubt")
        one_line(invoke(*words), 2)
        assert not (tmp_path / "out" / "camera.png").exists()

    def test_other_networks_cannot_be_taught(self, pretrained, photos, tmp_path):
        words = ["--init", pretrained, "--data", photos, "--runs-dir", tmp_path]
        line = one_line(invoke("train-doubt", *words, *settings(*QUICK)), 2)
        assert "unet-timm" in line
        averaged = invoke("train-doubt", *words, *settings(*QUICK, "ema=0.9"))
        assert "ema" in one_line(averaged, 2)
        assert not list(tmp_path.iterdir())
