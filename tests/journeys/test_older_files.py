"""Files that the version before the settings' new names wrote: used, or refused with the cure.

``files_of_0_1.tar.gz`` holds a run of three steps and a prepared folder, of photographs from
scikit-image at 64 pixels, as that version's commands left them.
"""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from conftest import one_line, pix2color, settings
from PIL import Image
from skimage import data

from pix2color.models.model_file import load_model
from pix2color.training import checkpoint

ARCHIVE = Path(__file__).parent / "files_of_0_1.tar.gz"
TRAINING = ["data.crop=32", "data.batch_size=2", "data.workers=0", "data.val_fraction=0"]
TRAINING += ["schedule.warmup_steps=1", "precision=float32"]
TRAINING += ["model={name: unet, options: {width: 1}}"]


SIZES = ("--size", 40, "--min-side", 32)  # those that it was prepared with


@pytest.fixture
def older(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def gray(tmp_path):
    path = tmp_path / "gray.png"
    Image.fromarray(data.camera()).resize((64, 48)).save(path)
    return path


@pytest.mark.parametrize("place", ["run/model.safetensors", "run"])
def test_a_model_colours(place, older, gray, tmp_path):
    out = tmp_path / "out"
    result = pix2color("colorize", gray, "--model", older / place, "--out", out, "--json")
    assert result.returncode == 0, result.stderr
    (outcome,) = json.loads(result.stdout)
    assert Image.open(outcome["output"]).size == (64, 48)


def test_a_model_is_where_a_training_can_begin(older, tmp_path):
    words = ("--init", older / "run" / "model.safetensors", "--data", older / "prepared")
    result = pix2color(
        *("pretrain", *words, "--max-steps", 1, "--name", "new", "--runs-dir", tmp_path / "runs"),
        *settings(*TRAINING),
    )
    assert result.returncode == 0, result.stderr
    assert load_model(tmp_path / "runs" / "new")[1].architecture == "unet"


def test_checkpoints_can_be_read(older):
    state = checkpoint.load_newest(older / "run" / "checkpoints")
    assert state["engine"]["step"] == 3


def test_a_prepared_folder_is_trained_on_and_added_to(older, tmp_path, write_photo):
    folder = older / "prepared"
    result = pix2color(
        *("pretrain", "--data", folder, "--max-steps", 1, "--name", "new"),
        *("--runs-dir", tmp_path / "runs", *settings(*TRAINING)),
    )
    assert result.returncode == 0, result.stderr
    before = (folder / "pictures.bin").read_bytes()
    write_photo("more/retina.png", Image.fromarray(data.immunohistochemistry()))
    added = pix2color("prepare", tmp_path / "more", "--out", folder, *SIZES)
    assert added.returncode == 0, added.stderr
    after = (folder / "pictures.bin").read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)


def test_an_old_recipe_is_refused_by_the_new_name(older, photos):
    config = older / "run" / "config.yaml"
    assert "losses" in yaml.safe_load(config.read_text())
    words = ("pretrain", "--config", config, "--data", photos)
    assert "reconstruction" in one_line(pix2color(*words), 2)


def test_an_old_run_is_resumed_or_refused_by_the_new_name(older):
    shutil.rmtree(older / "run" / "checkpoints" / "step-00000003")
    result = pix2color("pretrain", "--resume", older / "run")
    assert result.returncode == 0 or "reconstruction" in one_line(result, result.returncode)
