"""What a person sees, in real processes: on a terminal and not."""

import os
import pty
import re
import subprocess
import sys

import pytest
from conftest import QUICK, pix2color, settings

from pix2color.progress import time_left, track


def on_a_terminal(words: list[str]) -> str:
    """What a process writes to its stderr when that is a terminal of 110 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pix2color", *words],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "110", "TERM": "xterm"},
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 4096):
            written += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


@pytest.fixture
def words(photos, tmp_path):
    recipe = [*QUICK, "data.val_fraction=0.3", "validation.size=32", "validation.every_steps=2"]
    recipe += ["validation.photos=2"]
    start = ["pretrain", "--data", str(photos), "--max-steps", "5", "--name", "r"]
    return [*start, "--runs-dir", str(tmp_path), *settings(*recipe)]


def test_a_terminal_gets_a_bar_and_below_it_losses_and_validation(words):
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", on_a_terminal(words))
    frames = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    bars = [i for i, line in enumerate(frames) if "5/5 steps" in line]
    assert bars, text
    assert "━" in frames[bars[-1]]
    assert "pictures/s" in frames[bars[-1]]
    below = frames[bars[-1] + 1]
    assert re.search(r"l1 [\d.]+ .*psnr [\d.]+ \(gray [\d.]+\)  colourfulness [\d.]+", below), text


def test_a_file_gets_plain_lines(words):
    result = pix2color(*words)
    assert "\x1b" not in result.stderr
    last = [line for line in result.stderr.splitlines() if line.startswith("pretrain: ")][-1]
    assert re.search(r"5/5 steps in \d+ s .*pictures/s  l1 [\d.]+  validation: psnr", last)


def test_work_that_was_done_before_took_no_time_now(capsys):
    with track("resumed", 2000, "steps", begun=1000) as update:
        update(1000)
    assert "0.0 steps/s" in capsys.readouterr().err


def test_the_time_left_follows_from_the_rate():
    assert time_left(10, 30, 60.0) == "3:00 left"
    assert time_left(1, 100, 100.0) == "2 h 46 min left"
    assert time_left(0, 30, 1.0) == ""
