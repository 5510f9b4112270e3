import json
import subprocess
import sys

from conftest import QUICK, one_line, pix2color, settings
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

STEPS = 30


def find(photos, cwd, *words):
    quick = settings(*QUICK, "data.batch_size=2", "data.crop=32")
    return pix2color("lr-find", "--data", photos, "--steps", STEPS, *words, *quick, cwd=cwd)


def test_rates_plot_and_curve(photos, tmp_path):
    result = find(photos, tmp_path, "--name", "f", "--json")
    assert result.returncode == 0, result.stderr
    rates = json.loads(result.stdout)
    assert set(rates) == {"valley", "slide", "steep", "minimum"}
    assert all(1e-8 <= rate <= 10 for rate in rates.values())
    with Image.open(tmp_path / "lr-find.png") as plot:
        assert plot.width > 500
    assert {p.name for p in tmp_path.iterdir()} == {"lr-find.png", "runs"}  # no weights, no model
    assert all(p.name.startswith("events.") for p in (tmp_path / "runs" / "f").iterdir())
    events = EventAccumulator(str(tmp_path / "runs" / "f"))
    events.Reload()
    risen = [point.value for point in events.Scalars("lr-find/learning_rate")]
    assert risen == sorted(risen)
    assert len(events.Scalars("lr-find/loss")) == len(risen) > 10
    assert "lr-find" in events.Tags()["images"]


def test_it_is_the_recipes_own_optimizer_that_is_tried(photos, tmp_path):
    result = find(photos, tmp_path, *settings("optimizer={name: SGD, options: {betas: [0, 1]}}"))
    assert "SGD has no 'betas'" in one_line(result, 2)


def test_wrong_usage(photos, tmp_path, monkeypatch):
    assert ".png" in one_line(find(photos, tmp_path, "--out", "plot.jpg"), 2)
    (tmp_path / "runs" / "f").mkdir(parents=True)
    assert "--name" in one_line(find(photos, tmp_path, "--name", "f"), 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "torchrun" in one_line(find(photos, tmp_path), 2)


def test_its_process_ends(photos, tmp_path):
    """With data processes, whatever fastai leaves behind."""
    words = ("lr-find", "--data", photos, "--steps", STEPS)
    quick = settings(*QUICK, "data.batch_size=2", "data.crop=32", "data.workers=2")
    command = [sys.executable, "-m", "pix2color", *map(str, words), *quick]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    assert ended.returncode == 0, ended.stderr.decode()
