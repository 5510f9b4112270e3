"""A run that was killed goes on as if nothing had happened: real processes, bit for bit."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import SHORT, one_line, pix2color, settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pix2color.models.model_file import load_model

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("resume")

STEPS, KILLED_AFTER = 20, 12
GAN_ALONE = ("critic", "discriminator")
# Steps that take long enough for a kill to come between two of them.
NETWORKS = ["model={name: unet, options: {width: 8}}", "discriminator.options={width: 8}"]
SETTINGS = [*SHORT, *NETWORKS, "data.crop=64", "checkpoint.every_steps=10", "data.val_fraction=0.3"]
SETTINGS += ["validation.size=32", "validation.every_steps=7", "critic_warmup_steps=4"]
SETTINGS += ["data.earlier_crops={2: 48}", "film.share=0.5"]
SETTINGS += ["data.batch_size=2", "accumulate=2", "log_every=3"]  # so that a point is cut in two


def command(task: str, photos: Path, init: Path, runs: Path, name: str) -> list[str]:
    chosen = [s for s in SETTINGS if task == "train-gan" or not s.startswith(GAN_ALONE)]
    start = ["--init", init] if task == "train-gan" else []
    words = [task, *start, "--data", photos, "--max-steps", STEPS, "--name", name]
    return [*map(str, words), "--runs-dir", str(runs), *settings(*chosen)]


def last_step(run: Path) -> int:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def kill_midway(words: list[str], run: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pix2color", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while last_step(run) < KILLED_AFTER and time.monotonic() < deadline:
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert KILLED_AFTER <= last_step(run) < STEPS


def flat(state: object, prefix: str = "") -> dict[str, object]:
    if isinstance(state, dict):
        pairs = [flat(v, f"{prefix}/{k}") for k, v in state.items()]
    elif isinstance(state, (list, tuple)):
        pairs = [flat(v, f"{prefix}/{i}") for i, v in enumerate(state)]
    else:
        return {prefix: state}
    return {k: v for pair in pairs for k, v in pair.items()}


def final_state(run: Path) -> dict[str, object]:
    path = run / "checkpoints" / f"step-{STEPS:08d}" / "state.pt"
    state = flat(torch.load(path, weights_only=True))
    state.pop("/engine/spent")  # seconds by the clock
    return state


@pytest.fixture(
    scope="module",
    params=[
        "train-gan folder",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("pretrain folder", "pretrain shards", "train-gan prepared")
        ),
    ],
)
def two_runs(request, photos, pretrained, tmp_path_factory):
    """The same recipe, undisturbed, and killed after the checkpoint of step 10."""
    task, source = request.param.split()
    runs = tmp_path_factory.mktemp(task)
    if source != "folder":
        shards = ["--shards"] if source == "shards" else []
        made = pix2color("prepare", photos, "--out", runs / source, "--min-side", 32, *shards)
        assert made.returncode == 0, made.stderr
        photos = runs / source
    words = [command(task, photos, pretrained, runs, n) for n in ("whole", "killed")]
    whole = pix2color(*words[0])
    assert whole.returncode == 0, whole.stderr
    kill_midway(words[1], runs / "killed")
    resumed = pix2color("--", task, "--resume", runs / "killed", "--workers", 2)
    assert resumed.returncode == 0, resumed.stderr
    assert "from step 1" in resumed.stderr  # 10, or that of the best validation
    yield runs / "whole", runs / "killed"
    shutil.rmtree(runs)


def test_everything_is_equal_bit_for_bit(two_runs):
    whole, killed = map(final_state, two_runs)
    assert whole.keys() == killed.keys()
    for name, value in whole.items():
        equal = torch.equal if isinstance(value, torch.Tensor) else (lambda a, b: a == b)
        assert equal(value, killed[name]), name
    kinds = {name.split("/")[2] for name in whole if name.startswith("/engine/")}
    assert kinds == {"step", "modules", "optimizers", "ema"}  # the cosine has no state


def test_curves_go_on_without_a_zigzag(two_runs):
    for run in two_runs:
        events = EventAccumulator(str(run), size_guidance={"scalars": 0})
        events.Reload()
        tag = "generator/l1" if run.parent.name.startswith("pretrain") else "discriminator/real"
        assert [p.step for p in events.Scalars(tag)] == [*range(3, STEPS, 3), STEPS]
        assert [p.step for p in events.Scalars("val/psnr")] == [7, 14, 20]
    whole, killed = (
        [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
        for run in two_runs
    )
    for a, b in zip(whole, killed, strict=True):
        a.pop("speed/pictures_per_second", None), b.pop("speed/pictures_per_second", None)
        assert a == b
    assert whole[-1] == {"step": STEPS, "finished": True}  # noted once, at the end
    assert sum("finished" in point for point in killed) == 1


def test_a_finished_run_can_be_resumed_without_harm(two_runs):
    before = final_state(two_runs[1])
    again = pix2color(_task(two_runs[1]), "--resume", two_runs[1])
    assert again.returncode == 0, again.stderr
    assert "finished already, at step 20" in again.stderr
    after = final_state(two_runs[1])
    assert all(
        torch.equal(v, after[k]) if isinstance(v, torch.Tensor) else v == after[k]
        for k, v in before.items()
    )


def test_a_run_killed_after_its_last_checkpoint_is_ended_properly(two_runs, tmp_path):
    run = tmp_path / "copy"
    shutil.copytree(two_runs[0], run)
    (run / "model.safetensors").unlink()
    whole = (run / "metrics.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    assert "finished" in lines[-1]
    (run / "metrics.jsonl").write_text("".join(lines[:-1]))
    result = pix2color(_task(run), "--resume", run)
    assert result.returncode == 0, result.stderr
    assert (run / "metrics.jsonl").read_text() == whole  # nothing is there twice
    (model, info), (other, _) = load_model(run), load_model(two_runs[0])
    assert info.step == STEPS
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in model.state_dict().items())


def test_only_a_run_of_the_same_kind_can_be_resumed(two_runs, tmp_path):
    other = {"pretrain": "train-gan", "train-gan": "pretrain"}[_task(two_runs[0])]
    assert _task(two_runs[0]) in one_line(pix2color(other, "--resume", two_runs[0]), 2)
    assert "no run" in one_line(pix2color("pretrain", "--resume", tmp_path), 2)
    told = one_line(pix2color(_task(two_runs[0]), "--resume", two_runs[0], "--max-steps", 9), 2)
    assert "--workers" in told


def test_a_damaged_checkpoint_is_passed_over(two_runs, tmp_path):
    run = tmp_path / "copy"
    shutil.copytree(two_runs[0], run)
    newest = sorted((run / "checkpoints").iterdir())[-1] / "state.pt"
    newest.write_bytes(newest.read_bytes()[:1000])
    result = pix2color(_task(run), "--resume", run)
    assert result.returncode == 0, result.stderr
    assert f"warning: {newest}: damaged" in result.stderr
    assert "from step 1" in result.stderr  # 10, or that of the best validation
    whole, mended = final_state(two_runs[0]), final_state(run)
    assert all(
        torch.equal(v, mended[k]) if isinstance(v, torch.Tensor) else v == mended[k]
        for k, v in whole.items()
    )
    for state in run.glob("checkpoints/*/state.pt"):
        state.write_bytes(b"")
    assert "none of its checkpoints" in pix2color(_task(run), "--resume", run).stderr


def _task(run: Path) -> str:
    return "pretrain" if "task: pretrain" in (run / "config.yaml").read_text() else "train-gan"
