"""The launchers, on two real CPU processes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import torch
from conftest import QUICK, QUICK_GAN, ROOT, SHORT, settings

from pix2color.models.header import ModelInfo
from pix2color.models.model_file import load_model, save_model
from pix2color.models.registry import build_generator

PROCESSES = 2
# Plain gradient descent with a rate of 1: the weights' movement is the averaged gradient.
GRADIENT = [
    *QUICK,
    "data.crop=64",
    "optimizer={name: SGD, lr: 1.0}",
    "schedule={name: constant, warmup_steps: 0}",
    "clip=null",
    "ema=null",
    "freeze_batchnorm=true",
]
GAN = [
    "discriminator.options={width: 8}",
    "discriminator_optimizer={name: SGD, lr: 1.0}",
    "critic_warmup_steps=0",
]


def launch(
    processes: int,
    entry: str,
    *words: object,
    options: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [sys.executable, *torchrun, *options, entry, *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def newest_weights(run: Path) -> dict[str, torch.Tensor]:
    checkpoint = sorted((run / "checkpoints").iterdir())[-1]
    return torch.load(checkpoint / "state.pt", weights_only=True)["engine"]["modules"]["generator"]


def weights(run: Path, network: str) -> dict[str, torch.Tensor]:
    (checkpoint,) = (run / "checkpoints").iterdir()
    state = torch.load(checkpoint / "state.pt", weights_only=True)
    return state["engine"]["modules"][network]


@pytest.mark.parametrize(
    ("entry", "accumulate"),
    [
        ("train_gan.py", 1),
        pytest.param("pretrain", 1, marks=pytest.mark.slow),
        pytest.param("pretrain", 2, marks=pytest.mark.slow),
    ],
)
def test_two_processes_average_to_the_gradient_of_one(
    entry, accumulate, photos, pretrained, tmp_path
):
    gan = entry != "pretrain"
    start = ["--init", pretrained] if gan else []
    for name, processes, batches in (("one", 1, 1), ("two", PROCESSES, accumulate)):
        extra = [f"data.batch_size={8 // (processes * batches)}", f"accumulate={batches}"]
        result = launch(
            processes,
            entry,
            *(*start, "--data", photos, "--max-steps", 1, "--name", name, "--runs-dir", tmp_path),
            *settings(*GRADIENT, *(GAN if gan else []), *extra),
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == str(tmp_path / name)  # said once, not twice
    one, two = (weights(tmp_path / name, "generator") for name in ("one", "two"))
    if gan:
        before = weights_of_model(pretrained)
    else:
        torch.manual_seed(0)
        before = build_generator("unet", {"width": 4}).state_dict()
    moved = {n: one[n] - before[n] for n in one if one[n].is_floating_point()}
    error = {n: (one[n] - two[n]).norm() for n in moved}
    scale = torch.stack([m.norm() for m in moved.values()]).max()
    assert scale > 1e-3
    assert max(error.values()) < 1e-4 * scale, max(error, key=error.get)


def weights_of_model(run: Path) -> dict[str, torch.Tensor]:
    return load_model(run)[0].state_dict()


@pytest.mark.slow
def test_two_processes_go_on_from_a_model_like_the_one_that_ships(photos, tmp_path):
    """With layers for hints, which these photos have none of, and a head that does not learn."""
    options = {"widths": [8, 8, 8, 8], "hints": True, "doubt": True}
    start = tmp_path / "start.safetensors"
    save_model(start, build_generator("unet-timm", options), ModelInfo("unet-timm", options))
    result = launch(
        PROCESSES,
        "pretrain",
        *("--init", start, "--data", photos, "--max-steps", 3, "--name", "two"),
        *("--runs-dir", tmp_path),
        *settings(*SHORT, "checkpoint.every_minutes=null", "hints.share=0"),
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_longer_run_with_batchnorm_learning_finishes(photos, pretrained, tmp_path):
    result = launch(
        PROCESSES,
        "train_gan.py",
        *("--init", pretrained, "--data", photos, "--max-minutes", 0.05, "--name", "long"),
        *("--runs-dir", tmp_path),
        *settings(*QUICK_GAN, "critic_warmup_steps=1", "freeze_batchnorm=false"),
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "long" / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_run_goes_on(photos, tmp_path):
    """One of two processes is killed; torchrun starts both anew, and the result is the same."""
    words = ["--data", photos, "--max-steps", 12, "--runs-dir", tmp_path]
    words += settings(*QUICK, "data.val_fraction=0.3", "validation.size=64")
    words += settings("checkpoint.every_steps=5", "validation.every_steps=6")
    whole = launch(PROCESSES, "pretrain", *words, "--name", "whole")
    assert whole.returncode == 0, whole.stderr
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "KILL_AT": "8"}
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_KILLER)
    killed = launch(
        PROCESSES,
        "pretrain",
        *(*words, "--name", "killed"),
        options=["--max-restarts", "2"],
        environment=environment,
    )
    assert killed.returncode == 0, killed.stderr
    assert "from step 0" in killed.stderr
    assert "from step 6" in killed.stderr or "from step 5" in killed.stderr
    one, other = (newest_weights(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(values, other[name]) for name, values in one.items())


# Kills the second process, of the first start alone, at a step.
_KILLER = """
import os, signal
if os.environ.get("RANK") == "1" and os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0":
    from pix2color.training import engine
    step = engine.Engine.step
    def until(self, pixels):
        if self.step_number == int(os.environ["KILL_AT"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, pixels)
    engine.Engine.step = until
"""


@pytest.mark.slow
def test_the_slurm_script_saves_at_its_signal_and_goes_on_when_requeued(photos, tmp_path):
    """The script in the documentation, with stand-ins for Slurm's commands, on one machine."""
    _, _, script = (ROOT / "docs" / "training.md").read_text().partition("```sh\n#!/bin/bash")
    network = ["model.name=unet", "model.options.width=4"]  # the shell splits words at spaces
    options = settings(*SHORT, *network, "checkpoint.every_minutes=null")
    changes = {
        "--nproc-per-node 8": "--nproc-per-node 2",
        "$(scontrol show hostnames | head -1):29500": "localhost:29517",
        "--data shards/": f"--data {photos} --max-steps 1500 {' '.join(options)}",
    }
    script = script.partition("```")[0]
    for documented, ours in changes.items():
        assert documented in script
        script = script.replace(documented, ours)
    (tmp_path / "job.sh").write_text(script)
    for name, text in {"srun": 'exec "$@"', "scontrol": 'echo "$@" >> requeued'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "SLURM_NNODES": "1", "SLURM_JOB_ID": "7"}
    environment["PATH"] = f"{tmp_path}:{Path(sys.executable).parent}:{environment['PATH']}"

    def job() -> subprocess.Popen[str]:
        command = ["bash", "job.sh"]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
        )

    first = job()
    curves = tmp_path / "runs" / "mine" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not curves.exists() or curves.read_text().count("\n") < 5:
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (step,) = psutil.Process(first.pid).children()  # what Slurm signals
    step.terminate()
    _, told = first.communicate(timeout=120)
    assert "all is saved" in told
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    second = job()
    _, told = second.communicate(timeout=240)
    assert "from step" in told
    assert "from step 0" not in told
    assert json.loads(curves.read_text().splitlines()[-1]) == {"step": 1500, "finished": True}
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"  # not once more


@pytest.mark.slow
def test_restarts_need_a_name(photos, tmp_path):
    words = ["--data", photos, "--max-steps", 2, "--runs-dir", tmp_path]
    result = launch(1, "pretrain", *words, options=["--max-restarts", "1"])
    assert result.returncode != 0
    assert "name the run with --name" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("entry", ["pretrain", "train_gan.py"])
def test_launchers_are_the_commands(entry):
    result = subprocess.run(
        [sys.executable, entry, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--resume RUN" in result.stdout


@pytest.mark.parametrize("entry", ["pretrain", "train_gan.py"])
def test_launchers_say_that_the_package_is_missing(entry):
    result = subprocess.run(
        [sys.executable, "-S", entry], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "pip install" in result.stderr
    assert "Traceback" not in result.stderr
