"""The launchers, on two real CPU processes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import QUICK, ROOT, settings

from pix2color.models import build_generator

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
GAN = ["discriminator_optimizer={name: SGD, lr: 1.0}", "critic_warmup_steps=0"]


def launch(processes: int, entry: str, *words: object) -> subprocess.CompletedProcess[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [sys.executable, *torchrun, entry, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def weights(run: Path, network: str) -> dict[str, torch.Tensor]:
    (checkpoint,) = (run / "checkpoints").iterdir()
    state = torch.load(checkpoint / "state.pt", weights_only=True)
    return state["engine"]["modules"][network]


@pytest.mark.parametrize(
    ("entry", "accumulate"), [("pretrain", 1), ("train_gan.py", 1), ("pretrain", 2)]
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
        before = build_generator("unet-resnet18").state_dict()
    moved = {n: one[n] - before[n] for n in one if one[n].is_floating_point()}
    error = {n: (one[n] - two[n]).norm() for n in moved}
    scale = torch.stack([m.norm() for m in moved.values()]).max()
    assert scale > 1e-3
    assert max(error.values()) < 1e-4 * scale, max(error, key=error.get)


def weights_of_model(run: Path) -> dict[str, torch.Tensor]:
    from pix2color.models.files import load_model

    return load_model(run)[0].state_dict()


def test_a_longer_run_with_batchnorm_learning_finishes(photos, pretrained, tmp_path):
    result = launch(
        PROCESSES,
        "train_gan.py",
        *("--init", pretrained, "--data", photos, "--max-minutes", 0.05, "--name", "long"),
        *("--runs-dir", tmp_path),
        *settings(*QUICK, "critic_warmup_steps=1", "freeze_batchnorm=false"),
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "long" / "model.safetensors").is_file()


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
