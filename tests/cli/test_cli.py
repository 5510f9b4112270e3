import subprocess
import sys

import click
import pytest
from command_line import invoke

from pix2color.cli.main import cli
from pix2color.cli.options import (
    BUDGET,
    BUDGET_EACH,
    COMPILE,
    DATA,
    INIT,
    RUN,
    SELECT,
    VALIDATION,
    recipe_flags,
)
from pix2color.config.load import RECIPES

COMMANDS = list(cli.commands)


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
        assert result.stdout.startswith(f"Example:\n  pix2color {command}")
    assert "pix2color" in result.stdout


def test_version():
    from pix2color import __version__

    assert invoke("--version").stdout.strip().endswith(__version__)


def test_unknown_options_are_wrong_usage():
    result = invoke("pretrain", "--epoch", 3)
    assert result.returncode == 2
    assert "--epochs" in result.stderr


def test_every_command_stands_under_a_heading():
    listed = [command.name for section in cli.sections.values() for command in section]
    assert listed == COMMANDS
    text = invoke("--help").stdout
    assert all(f"\n{heading}:\n" in text for heading in ("Colour", "Train", "Compare", "Tools"))


@pytest.mark.parametrize(
    "words",
    [
        ("--batch-size", "8", "--crop", "64"),
        ("--set", "data.batch_size=8", "--set", "data.crop=64"),
    ],
)
def test_flags_and_settings_reach_the_recipe(words):
    loaded = []

    @click.command()
    @recipe_flags(*RUN)
    def command(flags):
        loaded.append(flags.load("pretrain"))

    command.main(list(words), standalone_mode=False)
    assert (loaded[0].data.batch_size, loaded[0].data.crop) == (8, 64)


@pytest.mark.parametrize("task", RECIPES)
def test_every_flag_names_a_setting(task):
    flags = (DATA, *VALIDATION, *BUDGET, *BUDGET_EACH, *RUN, INIT, COMPILE, SELECT)
    assert {flag.key for flag in flags} <= set(_keys(RECIPES[task]().model_dump()))


def _keys(tree, prefix=""):
    for name, value in tree.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{name}.")
