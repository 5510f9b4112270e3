"""Runs that are stopped, starved or poisoned lose nothing: real processes and signals."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
from conftest import QUICK, one_line, pix2color, settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pix2color.color.lab import rgb_to_l_ab
from pix2color.config.schema import SelectionConfig
from pix2color.errors import ModelError, StorageError
from pix2color.models.model_file import load_model
from pix2color.training import checkpoint, regression, run
from pix2color.training.collapse import CollapseWatch
from pix2color.training.selection import best, describe_choice

LONG = [*QUICK, "checkpoint.every_minutes=null", "validation.every_minutes=null"]


def start(photos, runs, *extra, environment=None):
    words = ["pretrain", "--data", photos, "--max-steps", "100000", "--name", "run"]
    words += ["--runs-dir", runs, *settings(*LONG, *extra)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pix2color", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    )
    wait_for_step(runs / "run", 5, process)
    return process


def points(folder):
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_step(folder, step, process):
    deadline = time.monotonic() + 120
    while not any(point["step"] >= step for point in points(folder)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_reads_photos_and_dies_ends_the_run(photos, tmp_path):
    process = start(photos, tmp_path, "data.workers=2", "checkpoint.every_steps=5")
    readers = psutil.Process(process.pid).children(recursive=True)
    os.kill(readers[0].pid, signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in told
    assert told.strip().splitlines()[-1].startswith("error: ")
    assert f"--resume {tmp_path / 'run'}" in told
    assert not any(reader.is_running() for reader in readers)


@pytest.mark.parametrize(
    ("number", "name", "code"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
def test_a_signal_saves_and_ends(number, name, code, photos, tmp_path):
    process = start(photos, tmp_path, "data.workers=2")
    os.killpg(process.pid, number)  # as a terminal or a batch system does: to every process
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in told
    (saved,) = (tmp_path / "run" / "checkpoints").iterdir()
    step = int(saved.name.removeprefix("step-"))
    last = told.strip().splitlines()[-1]
    assert last.startswith(f"{name}: stopped at step {step}, all is saved; go on with: pix2color")
    assert points(tmp_path / "run")[-1]["step"] == step
    assert load_model(tmp_path / "run")[1].step == step
    assert last.endswith(f"pretrain --resume {tmp_path / 'run'}")


class TestStorage:
    @pytest.mark.parametrize(
        ("room", "told"),
        [
            (
                1000,
                (
                    "step-00000012: cannot be written (File too large",
                    "step-00000006 is whole; free some",
                ),
            ),
            (200, ("model.safetensors: cannot be written (", "File too large", "free some space")),
        ],
    )
    def test_without_room_the_last_checkpoint_stays(self, room, told, photos, tmp_path):
        words = ("--data", photos, "--name", "run", "--runs-dir", tmp_path)
        steps = ("--max-steps", 12, *settings(*QUICK, "checkpoint.every_steps=6"))
        process = subprocess.run(
            [sys.executable, "-c", _LIMITED, str(room), *map(str, ("pretrain", *words, *steps))],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert process.returncode == 1
        last = process.stderr.strip().splitlines()[-1]
        assert last.startswith("error: ")
        assert all(words in last for words in told)
        assert "Traceback" not in process.stderr
        assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000006"]
        resumed = pix2color("pretrain", "--resume", tmp_path / "run")
        assert resumed.returncode == 0, resumed.stderr
        assert "from step 6" in resumed.stderr

    def test_older_ones_go_only_when_the_new_one_is_sound(self, tmp_path, monkeypatch):
        for step in (1, 2, 3, 4):
            checkpoint.save(tmp_path, step, {"step": step}, newest=2, also=[1])
        assert names(tmp_path) == [1, 3, 4]

        def lose(state, file):
            file.write(b"nothing that can be read")

        monkeypatch.setattr(torch, "save", lose)
        with pytest.raises(StorageError, match="step-00000004 is whole"):
            checkpoint.save(tmp_path, 5, {"step": 5}, newest=1)
        assert names(tmp_path) == [1, 3, 4]
        assert checkpoint.load_newest(tmp_path) == {"step": 4}

    def test_one_of_another_version_is_named(self, tmp_path):
        checkpoint.save(tmp_path, 1, {"step": 1}, newest=2)
        torch.save({"step": 1}, tmp_path / "step-00000001" / "state.pt")
        with pytest.raises(ModelError, match="another version"):
            checkpoint.load(tmp_path, 1)

    def test_steps_that_were_given_up_go(self, tmp_path):
        for step in (1, 2, 9):
            checkpoint.save(tmp_path, step, {"step": step}, newest=3)
        checkpoint.save(tmp_path, 3, {"step": 3}, newest=3)
        assert names(tmp_path) == [1, 2, 3]


# A process that, once its first checkpoint is there, may write no file as large as another: as on
# a disk that is nearly full.
_LIMITED = """
import resource, sys
from pix2color.training import checkpoint
from pix2color.cli.main import main
save = checkpoint.save
def limited(folder, step, state, **options):
    save(folder, step, state, **options)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
checkpoint.save = limited
room = 1_000 * int(sys.argv.pop(1))
sys.argv = ["pix2color", *sys.argv[1:]]
main()
"""


def names(folder):
    return sorted(int(p.name.removeprefix("step-")) for p in folder.iterdir())


class TestSteps:
    """A batch is poisoned on its way into the networks, in this process."""

    def train(self, photos, runs, monkeypatch, poisoned, task="pretrain", init=None):
        seen = []
        encode = rgb_to_l_ab

        def encoded(pixels):
            L, ab = encode(pixels)
            if pixels.shape[-1] == 48 and len(pixels) == 4 and torch.is_grad_enabled():
                seen.append(len(seen))
                if seen[-1] in poisoned:
                    L = L + torch.nan
            return L, ab

        monkeypatch.setattr(regression, "rgb_to_l_ab", encoded)
        recipe = run.load_recipe(
            task,
            None,
            [*QUICK, "data.val_fraction=0.3", "validation.size=64", "max_skipped=4"]
            + (["critic_warmup_steps=1"] if init else []),
            {"data.train": [photos], "budget.max_steps": 12, "name": "run", "runs_dir": runs}
            | ({"init": init} if init else {}),
        )
        return run.train(recipe)

    @pytest.mark.parametrize("task", ["pretrain", "train-gan"])
    def test_one_that_is_not_finite_is_skipped(
        self, task, photos, pretrained, tmp_path, monkeypatch
    ):
        init = pretrained if task == "train-gan" else None
        folder = self.train(photos, tmp_path, monkeypatch, {3, 7}, task, init)
        model, info = load_model(folder)
        assert all(v.isfinite().all() for v in model.state_dict().values())
        assert info.scores["psnr"] > 5
        told = points(folder)
        assert [p["steps/skipped"] for p in told if "steps/skipped" in p][-1] == 2
        assert sum("generator/l1" in p for p in told) == (10 if init is None else 9)
        events = EventAccumulator(str(folder))
        events.Reload()
        assert [p.value for p in events.Scalars("steps/skipped")][-1] == 2

    def test_many_end_the_run_with_a_diagnosis(self, photos, tmp_path, monkeypatch):
        from pix2color.errors import TrainingError

        with pytest.raises(TrainingError, match=r"4 of the last 1000 steps.*gradient_norm"):
            self.train(photos, tmp_path, monkeypatch, set(range(2, 9)))


class TestSelection:
    HISTORY = (
        {"step": 10, "delta_e": 10.0, "colorfulness_ratio": 0.4},
        {"step": 20, "delta_e": 11.0, "colorfulness_ratio": 0.9},
        {"step": 30, "delta_e": 10.5, "colorfulness_ratio": 1.0},
        {"step": 40, "delta_e": 10.2, "colorfulness_ratio": 1.3},
    )

    def test_the_lowest_within_the_band(self):
        assert best(self.HISTORY, SelectionConfig(band=(0.85, 1.1))) == 30
        assert best(self.HISTORY, SelectionConfig()) == 10
        assert best(self.HISTORY, SelectionConfig(band=(1.6, 2.0))) == 40

    def test_it_is_explained(self):
        told = describe_choice(self.HISTORY, SelectionConfig(band=(0.85, 1.1)))
        assert told.startswith("selected step 30: ΔE00 10.50, colourfulness ratio 1.00;")
        assert "of 2 among 4 validations within 0.85 to 1.1" in told
        assert "the last, 40" in told
        assert "nearest" in describe_choice(self.HISTORY, SelectionConfig(band=(1.6, 2.0)))

    def test_the_best_is_exported_and_stays(self, photos, pretrained, tmp_path):
        # A rate far too high: what comes after the first validations is worse.
        result = pix2color(
            *("train-gan", "--init", pretrained, "--data", photos, "--max-steps", 8, "--select"),
            *("--runs-dir", tmp_path, "--name", "run"),
            *settings(*QUICK, "data.val_fraction=0.3", "validation.size=64"),
            *settings("validation.every_steps=2", "critic_warmup_steps=1", "optimizer.lr=0.05"),
            *settings("selection.band=null", "checkpoint.keep=1"),
        )
        assert result.returncode == 0, result.stderr
        history = [p for p in points(tmp_path / "run") if "val/delta_e" in p]
        step = min(history, key=lambda p: p["val/delta_e"])["step"]
        assert step < 8
        assert f"selected step {step}: " in result.stderr
        assert names(tmp_path / "run" / "checkpoints") == [step, 8]
        model, info = load_model(tmp_path / "run")
        assert info.step == step
        state = checkpoint.load(tmp_path / "run" / "checkpoints", step)
        average = state["engine"]["ema"]["module"]
        assert all(torch.equal(v, average[n]) for n, v in model.state_dict().items())


class TestCollapse:
    def curves(self, real, fake):
        return {
            "generator/adversarial": 1.0,
            "discriminator/accuracy_real": real,
            "discriminator/accuracy_fake": fake,
        }

    def test_a_pinned_discriminator(self):
        watch = CollapseWatch()
        told = [watch.curves(step, self.curves(1.0, 0.995)) for step in range(0, 500, 50)]
        assert [bool(t) for t in told] == [False] * 4 + [True] + [False] * 5
        assert "lower discriminator_optimizer.lr" in told[4][0]
        assert not watch.curves(550, self.curves(0.8, 0.8))
        weak = [watch.curves(step, self.curves(1.0, 0.0)) for step in range(600, 900, 50)]
        assert "raise discriminator_optimizer.lr" in next(t for t in weak if t)[0]

    def test_colours_that_run_away_and_figures_that_rise(self):
        watch = CollapseWatch()
        assert not watch.validation({"colorfulness_ratio": 0.9, "delta_e": 10.0})
        (told,) = watch.validation({"colorfulness_ratio": 1.5, "delta_e": 10.5})
        assert "raise reconstruction.l1" in told
        (told,) = watch.validation({"colorfulness_ratio": 1.5, "delta_e": 12.0})
        assert "risen from 10.00 to 12.00" in told


def test_a_wrong_band_is_named(photos):
    told = one_line(pix2color("pretrain", "--data", photos, *settings("selection.band=[1]")), 2)
    assert "selection.band" in told
