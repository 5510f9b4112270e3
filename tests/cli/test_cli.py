import subprocess
import sys

import pytest
from conftest import pix2color

COMMANDS = [
    "pretrain",
    "train-gan",
    "colorize",
    "evaluate",
    "info",
    "export",
    "doctor",
    "runs",
    "lr-find",
    "overfit",
    "pretrain-encoder",
    "compare",
    "cross-validate",
    "sweep",
    "judge",
]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_begins_with_an_example_and_loads_nothing_heavy(command):
    words = ["--help"] if command is None else [command, "--help"]
    script = (
        "import sys\nfrom pix2color.cli.main import cli\n"
        f"cli({words!r}, prog_name='pix2color', standalone_mode=False)\n"
        "heavy = {'torch', 'numpy', 'PIL', 'pydantic', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    if command:
        assert result.stdout.startswith(f"Example:\n  pix2color {command} ")
    assert "pix2color" in result.stdout


def test_version():
    from pix2color import __version__

    assert pix2color("--version").stdout.strip().endswith(__version__)


def test_unknown_options_are_wrong_usage():
    result = pix2color("pretrain", "--epoch", 3)
    assert result.returncode == 2
    assert "--epochs" in result.stderr
