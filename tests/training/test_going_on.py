"""A run goes on as the same run, or says why not; and it ends when a part of it has died."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner
from conftest import QUICK, pix2color, settings
from filelock import FileLock

from pix2color.cli.main import cli
from pix2color.errors import ModelError
from pix2color.training import checkpoint


@pytest.fixture
def run(pretrained, tmp_path):
    """A copy of a finished run."""
    folder = tmp_path / "run"
    shutil.copytree(pretrained, folder)
    return folder


def resume(folder):
    return CliRunner().invoke(cli, ["pretrain", "--resume", str(folder)])


def edit(folder, old, new):
    config = folder / "config.yaml"
    text, count = re.subn(old, new, config.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    config.write_text(text)


def newest_state(folder):
    return sorted(folder.glob("checkpoints/step-*/state.pt"))[-1]


class TestCheckpoints:
    def test_a_flipped_bit_is_noticed(self, tmp_path, capsys):
        for step in (1, 2):
            state = {"step": step, "weights": torch.full((1000,), float(step))}
            checkpoint.save(tmp_path, step, state, newest=2)
        damaged = tmp_path / "step-00000002" / "state.pt"
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 0x10
        damaged.write_bytes(content)
        assert checkpoint.load_newest(tmp_path)["step"] == 1
        assert str(damaged) in capsys.readouterr().err
        with pytest.raises(ModelError, match=r"step-00000002"):
            checkpoint.load(tmp_path, 2)

    def test_those_of_earlier_versions_have_no_checksum(self, tmp_path):
        checkpoint.save(tmp_path, 1, {"step": 1}, newest=2)
        for file in (tmp_path / "step-00000001").iterdir():
            if file.name != "state.pt":
                file.unlink()
        assert checkpoint.load_newest(tmp_path)["step"] == 1

    def test_copies_beside_them_disturb_nothing(self, run):
        newest = newest_state(run).parent
        shutil.copytree(newest, newest.with_name(newest.name + ".bak"))
        newest.with_name("step-notes.txt").write_text("a good one")
        newest.with_name("step-99999999").write_text("a file")
        assert resume(run).exit_code == 0
        listed = CliRunner().invoke(cli, ["runs", str(run.parent)])
        assert listed.exit_code == 0
        assert "finished" in listed.output


class TestSettings:
    def test_those_of_a_checkpoint_of_an_earlier_version_must_fit(self, run):
        for path in run.glob("checkpoints/*/state.pt"):
            state = torch.load(path, weights_only=True)
            del state["circumstances"]
            torch.save(state, path)
            (path.parent / "state.pt.sha256").unlink()
        edit(run, "width: 4", "width: 8")
        result = resume(run)
        assert result.exit_code == 1
        assert result.stderr.strip().splitlines()[-1].startswith(f"error: {run}: ")

    @pytest.mark.parametrize(
        ("old", "new", "key"),
        [
            ("^  name: unet$", "  name: cnn", "model.name"),
            ("width: 4", "width: 8", "model.options"),
            ("^  lr: .*", "  lr: 0.5", "optimizer.lr"),
            ("^  name: AdamW$", "  name: SGD", "optimizer.name"),
            ("^  batch_size: .*", "  batch_size: 3", "data.batch_size"),
            ("^seed: .*", "seed: 7", "seed"),
        ],
    )
    def test_those_that_decide_what_is_learnt_stay(self, old, new, key, run):
        edit(run, old, new)
        before = newest_state(run).read_bytes()
        result = resume(run)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: {run / 'config.yaml'}: {key} ")
        assert result.stderr.count("\n") == 1
        assert newest_state(run).read_bytes() == before

    def test_others_may_change(self, run):
        edit(run, "^log_every: .*", "log_every: 50")
        result = resume(run)
        assert result.exit_code == 0
        assert "warning" not in result.stderr
        edit(run, "^  photos: .*", "  photos: 3")
        assert "validation.photos" in resume(run).stderr

    def test_another_number_of_threads_is_no_secret(self, run):
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(threads + 1)
            result = resume(run)
        finally:
            torch.set_num_threads(threads)
        assert result.exit_code == 0
        assert f"{threads + 1}" in result.stderr
        assert "warning" not in resume(run).stderr


def test_a_run_is_trained_by_one_process(run):
    with FileLock(run / ".lock"):
        result = resume(run)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {run}: ")
    assert resume(run).exit_code == 0


def test_one_that_was_killed_before_its_first_checkpoint_starts_again(photos, tmp_path):
    words = ["--data", photos, "--name", "run", "--runs-dir", tmp_path, "--max-steps", 3]
    words = ["pretrain", *map(str, words), *settings(*QUICK)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    run = tmp_path / "run"
    wanted = newest_state(run).read_bytes()
    shutil.rmtree(run / "checkpoints")
    (run / "metrics.jsonl").write_text('{"step": 1, "generator/l1": 0.5}\n')
    again = CliRunner().invoke(cli, words)
    assert again.exit_code == 2
    assert f"--resume {run}" in again.stderr
    assert resume(run).exit_code == 0
    torch.testing.assert_close(weights(newest_state(run)), weights_of(wanted, tmp_path))
    assert (run / "metrics.jsonl").read_text().count("finished") == 1


def weights(path):
    return torch.load(path, weights_only=True)["engine"]["modules"]


def weights_of(content, folder):
    (folder / "state.pt").write_bytes(content)
    return weights(folder / "state.pt")


@pytest.mark.slow
def test_prepare_ends_when_a_process_that_reads_is_killed(photos, tmp_path):
    words = ["prepare", photos, "--out", tmp_path / "out", "--min-side", 32, "--workers", 2]
    code = (
        "import os, signal, sys\n"
        "from pix2color.cli.main import cli\n"
        "from pix2color.data import prepare\n"
        "prepare.perceptual_hash = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cli(sys.argv[1:])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=60
    )
    assert "error: " in result.stderr.splitlines()[-1]
    assert result.returncode == 1
    assert pix2color(*words).returncode == 0
