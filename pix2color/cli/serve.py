"""The commands for people who are new: a page in the browser, and a demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pix2color.cli.options import MODEL, Command
from pix2color.errors import UsageError
from pix2color.extras import require

# Nothing heavy is imported up here: `--help` must answer at once.
_PASSWORD = "PIX2COLOR_PASSWORD"


@click.command(
    cls=Command,
    example="""\
pix2color serve
PIX2COLOR_PASSWORD=… pix2color serve --host 0.0.0.0 --user family""",
)
@MODEL
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address to listen on; others than this machine's own need --user.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, help="0: any that is free.")
@click.option(
    "--user",
    metavar="NAME",
    help=f"Ask for this name and a password, which is taken from {_PASSWORD} or asked for.",
)
@click.option(
    "--max-file-mb", type=click.IntRange(1, 2000), default=50, help="Refuse larger files."
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=100_000_000,
    metavar="N",
    help="Refuse larger pictures: a small file can unpack to fill the memory.",
)
@click.option(
    "--device", default="auto", help="Where the network runs; `pix2color doctor` lists devices."
)
def serve(
    model: Path,
    host: str,
    port: int,
    user: str | None,
    max_file_mb: int,
    max_pixels: int,
    device: str,
) -> None:  # fmt: skip
    """Colour photos in the browser (needs pix2color[web]).

    Photos stay on this machine, and none is kept. With --host, names and
    passwords travel unencrypted unless a proxy in front of it adds https.
    """
    for module in ("starlette", "uvicorn", "python_multipart"):
        require(module, "serve")
    from pix2color.web import server
    from pix2color.web.application import Limits

    if user == "":
        raise UsageError("--user: is empty; say who may, with --user NAME")
    if not server.is_private(host) and user is None:
        raise UsageError(
            f"--host {host}: others could reach this server; say who may, with --user NAME"
        )
    credentials = (user, _password()) if user else None
    from pix2color.inference.colorizer import Colorizer

    listening = server.listen(host, port)
    address = server.address(host, listening.getsockname()[1])
    server.serve(
        Colorizer.load(model, device),
        listening,
        limits=Limits(max_file_mb * 2**20, max_pixels),
        credentials=credentials,
        ready=lambda: click.echo(f"{address}  (Ctrl-C ends it)"),
    )


def _password() -> str:
    password = os.environ.get(_PASSWORD)
    if password is None:
        if not sys.stdin.isatty():
            raise UsageError(f"--user: put the password into the environment as {_PASSWORD}")
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not password:
        raise UsageError(f"{_PASSWORD}: is empty; choose a password")
    return password


@click.command(cls=Command, example="pix2color demo")
@MODEL
@click.option("--out", type=click.Path(path_type=Path), default="pix2color-demo", metavar="DIR",
              help="Where the colour pictures and the page go.")  # fmt: skip
def demo(model: Path, out: Path) -> None:
    """Colour a few photographs that come with pix2color, and show them on a page."""
    from pix2color.html.gallery import check_place, write_gallery
    from pix2color.inference.colorizer import Colorizer
    from pix2color.inference.folder_job import FolderJob
    from pix2color.inference.folder_plan import JobOptions
    from pix2color.inference.options import ColorizeOptions
    from pix2color.inference.photo_result import exit_code

    page = out / "index.html"
    check_place(page)
    job_options = JobOptions(paths=(SAMPLES,), out=out)
    job = FolderJob(Colorizer.load(model), job_options, ColorizeOptions())
    results = list(job.run())
    click.echo(job.summary(results))
    write_gallery(page, job.gallery_entries(results))
    click.echo(page.resolve())
    sys.exit(exit_code(results))


SAMPLES = Path(__file__).parents[1] / "samples"
"""Gray photographs that come with the package."""
