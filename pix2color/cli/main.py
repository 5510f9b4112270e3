"""The command line. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but some files failed, 130 stopped by
Ctrl-C and 143 by SIGTERM, with all that was done saved.
"""

from __future__ import annotations

import io
import sys

import click

from pix2color import __version__
from pix2color.cli.colorize import colorize
from pix2color.cli.data import prepare
from pix2color.cli.doctor import doctor, recipes, runs
from pix2color.cli.evaluate import evaluate, export, info
from pix2color.cli.evaluate_video import evaluate_video
from pix2color.cli.experiments import compare, cross_validate, judge, sweep
from pix2color.cli.options import Group
from pix2color.cli.serve import demo, serve
from pix2color.cli.train import lr_find, overfit, pretrain, pretrain_encoder, train_doubt, train_gan


def main() -> None:
    """Run the command line; the entry point of ``pix2color``."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be UTF-8
        sys.stdout.reconfigure(errors="surrogateescape")
    cli(prog_name="pix2color")


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    example="""\
pix2color grandma.jpg
pix2color colorize old-photos/ --out colour/
pix2color pretrain --data photos/ --name mine --epochs 30
pix2color train-gan --init runs/mine --data photos/ --name mine-gan --epochs 10
pix2color evaluate --model runs/mine-gan --data test-photos/""",
)
@click.version_option(__version__)
def cli() -> None:
    """Colour black-and-white photographs, and train your own colourizer."""


cli.add_section("Colour", colorize, serve, demo)
cli.add_section(
    "Train", pretrain, train_gan, train_doubt, prepare, pretrain_encoder, lr_find, overfit
)
cli.add_section("Compare", evaluate, evaluate_video, compare, cross_validate, sweep, judge)
cli.add_section("Tools", doctor, runs, recipes, info, export)
