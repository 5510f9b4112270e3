"""Running the command line as a user does, without each process importing torch anew.

A server that has imported it forks a process for each command (multiprocessing's forkserver):
seconds saved, several hundred times. Tests that start ``python -m pix2color``, or the script that
pip installs, are in many files.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

# PIX2COLOR_TEST_BF16=0 or 1: as on a CPU without bf16, or with it, here and in started processes.
_FORCED = Path(__file__).parent / "forced"
FORCED_PATH = [str(_FORCED)] if "PIX2COLOR_TEST_BF16" in os.environ else []
if FORCED_PATH:
    runpy.run_path(str(_FORCED / "sitecustomize.py"))
    os.environ["PYTHONPATH"] = str(_FORCED)

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["pix2color.cli.main", "pix2color.inference.colorizer", "pix2color.training.run"]
)
# By Python and by torch, when they are imported: a fork has what its server was started with.
_READ_AT_THE_START = {name: os.environ.get(name) for name in ("PYTHONPATH", "CXX")}
_TIMEOUT = 300


def pix2color(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "pix2color", *map(str, words)]
    if any(os.environ.get(name) != value for name, value in _READ_AT_THE_START.items()):
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=_TIMEOUT)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "stdout", Path(folder) / "stderr"
        told = (command[3:], str(cwd or Path.cwd()), dict(os.environ), str(out), str(err))
        process = _FORKS.Process(target=_run, args=told)
        process.start()
        process.join(_TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(command, _TIMEOUT)
        return subprocess.CompletedProcess(
            command, process.exitcode, out.read_text(), err.read_text()
        )


def invoke(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command within this process: the same result, sooner. An unforeseen error is raised."""
    from click.testing import CliRunner

    from pix2color.cli.main import cli

    arguments = [str(word) for word in words]
    result = CliRunner().invoke(cli, arguments, prog_name="pix2color", catch_exceptions=False)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def _run(words: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    from pix2color.cli.main import main

    for stream, path in ((0, os.devnull), (1, out), (2, err)):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, stream)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # Processes of its own start as they do for a user; as this one was started takes seconds.
    multiprocessing.set_start_method(None, force=True)
    sys.argv = ["pix2color", *words]
    main()
