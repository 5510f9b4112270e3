"""The command that prepares photos for training."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pix2color.cli.options import PATH, Command
from pix2color.errors import SOME_FAILED, UsageError


@click.command(
    cls=Command, needs=("torch",), example="pix2color prepare photos/ more-photos/ --out prepared/"
)
@click.argument("sources", nargs=-1, required=True, type=PATH, metavar="FOLDER…")
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="DIR",
    help="Write the prepared folder here; what it has already is not done again.",
)
@click.option(
    "--size",
    type=click.IntRange(32),
    default=288,
    metavar="PIXELS",
    help="Reduce photos to this short side; smaller ones stay as they are.",
)
@click.option(
    "--shards",
    is_flag=True,
    help="Write WebDataset shards of JPEG files (a tenth of the size) instead of pixels.",
)
@click.option(
    "--min-side",
    type=click.IntRange(1),
    default=96,
    metavar="PIXELS",
    help="Leave out photos with a shorter side.",
)
@click.option(
    "--min-colorfulness",
    type=click.FloatRange(0),
    default=6.0,
    help="Leave out photos that are less colourful: they are grey, or nearly so.",
)
@click.option(
    "--licences",
    type=PATH,
    metavar="CSV",
    help="Write into the manifest the licences that this file's columns, file and licence, tell.",
)
@click.option(
    "--only",
    metavar="COLUMN=VALUE",
    help="Take the photos alone that have this value in that column of --licences, such as "
    "open=yes.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    metavar="N",
    help="Work in so many processes.  [default: one for each core]",
)
def prepare(
    sources: tuple[Path, ...],
    out: Path,
    size: int,
    shards: bool,
    min_side: int,
    min_colorfulness: float,
    licences: Path | None,
    only: str | None,
    workers: int | None,
) -> None:
    """Decode and reduce photos once, so that training reads them fast.

    Broken, tiny, grey and nearly equal photos are left out; dropped.csv has the reasons. The
    folder is given to --data and --val like any other. Run it again to add what is new, and take
    out what has changed or is gone. Exit code 3: a subfolder could not be read.
    """
    from pix2color.data.prepare import Preparation
    from pix2color.data.prepare import prepare as run

    preparation = Preparation(
        size=size, shards=shards, min_side=min_side, min_colorfulness=min_colorfulness
    )
    column, _, value = (only or "").partition("=")
    if only and not (licences and column and value):
        raise UsageError(f"--only {only}: goes with --licences, as COLUMN=VALUE")
    summary = run(
        sources,
        out,
        preparation,
        licences=licences,
        only=(column, value) if only else None,
        workers=workers,
    )
    for place, reason in summary.unreadable.items():
        click.echo(f"failed: {place}: {reason}", err=True)
    click.echo(summary.describe(out), err=True)
    click.echo(out)
    if summary.unreadable:
        sys.exit(SOME_FAILED)
