"""TensorBoard beside a training: real processes, real addresses."""

import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from conftest import QUICK, settings

from pix2color.cli.train import tensorboard
from pix2color.training.tensorboard import opened

PATIENCE = 60


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s")


def address_in(text: str) -> str | None:
    found = re.search(r"TensorBoard: (http://\S+)", text)
    return found and found[1]


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address + "data/runs", timeout=10).status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture
def browser(tmp_path, monkeypatch) -> Path:
    """A browser that notes the pages it is asked for."""
    pages, script = tmp_path / "pages", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >> {pages}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{script} %s")
    return pages


def test_it_lasts_as_long_as_the_training(tmp_path, browser, capfd):
    said = ""
    with opened(tmp_path):

        def told():
            nonlocal said
            said += capfd.readouterr().err
            return address_in(said)

        address = wait_for(told)
        assert answers(address)
        wait_for(browser.exists)
        assert browser.read_text().strip() == address
    assert not answers(address)
    assert "warning" not in capfd.readouterr().err


def test_it_does_not_outlive_a_killed_training(photos, tmp_path, browser):
    log = tmp_path / "log"
    with log.open("w") as file:
        training = subprocess.Popen(
            [
                *(sys.executable, "-m", "pix2color", "pretrain", "--open-tensorboard"),
                *("--data", str(photos), "--max-minutes", "5", "--name", "r"),
                *("--runs-dir", str(tmp_path / "runs"), *settings(*QUICK)),
            ],
            stderr=file,
            stdout=subprocess.DEVNULL,
        )
    try:
        address = wait_for(lambda: address_in(log.read_text()))
        assert answers(address)
        wait_for((tmp_path / "runs" / "r" / "metrics.jsonl").exists)
        board = next(p for p in psutil.Process(training.pid).children() if _is_board(p))
        asking = [threading.Thread(target=_ask_on, args=(address,)) for _ in range(4)]
        for thread in asking:  # it is killed in the midst of requests
            thread.start()
    finally:
        training.send_signal(signal.SIGKILL)
        training.wait()
    for thread in asking:
        thread.join(PATIENCE)
    wait_for(lambda: not board.is_running() or board.status() == psutil.STATUS_ZOMBIE)


def _ask_on(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while answers(address) and time.monotonic() < deadline:
        pass


def _is_board(process: psutil.Process) -> bool:
    return "pix2color.training.tensorboard" in process.cmdline()


def test_only_the_first_process_opens_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    before = psutil.Process().children()
    with tensorboard(tmp_path):
        assert psutil.Process().children() == before
