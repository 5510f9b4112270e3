"""``pix2color colorize`` by several processes, each with its share of the photos."""

import json
import subprocess
import sys

import pytest
from command_line import invoke
from conftest import ROOT, made, one_line


def test_processes_agree_on_the_photos_while_others_write_among_them(album):
    out = album / "colour"
    for shard in ("2/2", "1/2", "2/2"):
        result = invoke("colorize", album, "--out", out, "--shard", shard)
        assert result.returncode == 0, result.stderr
    assert len(made(out)) == 5


@pytest.mark.parametrize("values", [("x", "4"), ("5", "2"), ("-1", "2"), ("0", "0")])
def test_launchers_that_talk_nonsense_are_told(values, album, tmp_path, monkeypatch):
    for name, value in zip(("SLURM_PROCID", "SLURM_NTASKS"), values, strict=True):
        monkeypatch.setenv(name, value)
    assert "SLURM_NTASKS" in one_line(invoke("colorize", album, "--out", tmp_path / "out"), 2)


def test_torchrun_shares_the_photos(album, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["-m", "pix2color", "colorize", str(album)]
    result = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert len(made(out)) == 5
    told = sorted(line.split(" photos")[0] for line in result.stdout.splitlines())
    assert told == ["2", "3"]
    assert len(list((out / ".pix2color").iterdir())) == 2


@pytest.mark.parametrize("how", ["--shard", "torchrun", "srun"])
def test_processes_share_the_photos(how, album, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shares = []
    for number in range(3):
        words = ["colorize", album, "--out", out, "--json"]
        if how == "--shard":
            words += ["--shard", f"{number + 1}/3"]
        else:
            names = (
                ("RANK", "WORLD_SIZE") if how == "torchrun" else ("SLURM_PROCID", "SLURM_NTASKS")
            )
            for name, value in zip(names, (number, 3), strict=True):
                monkeypatch.setenv(name, str(value))
        result = invoke(*words)
        assert result.returncode == 0, result.stderr
        shares.append({photo["input"] for photo in json.loads(result.stdout)})
    assert sorted(map(len, shares)) == [1, 2, 2]
    assert len(set.union(*shares)) == len(made(out)) == 5


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_share_that_is_none_is_refused(shard, album, tmp_path):
    words = ("colorize", album, "--out", tmp_path / "out", f"--shard={shard}")
    assert "I/N" in one_line(invoke(*words), 2)
