"""The command that measures how still and how true the colours of films are."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pix2color.cli.options import AS_JSON, MODEL, PATH, Command
from pix2color.inference.options import RENDER_SIZES, ColorizeOptions

# Nothing heavy is imported up here: `--help` must answer at once.


@click.command(
    cls=Command,
    needs=("torch", "av", "cv2"),
    example="pix2color evaluate-video holidays.mp4 --preview 20",
)
@click.argument("films", nargs=-1, required=True, type=PATH, metavar="FILM…")
@MODEL
@click.option(
    "--render-size",
    type=click.IntRange(*RENDER_SIZES),
    metavar="PIXELS",
    help="Short side of what the network looks at.  [default: as it was trained]",
)
@click.option(
    "--preview",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Measure only so much of each film, from its start.",
)
@AS_JSON
def evaluate_video(
    films: tuple[Path, ...],
    model: Path,
    render_size: int | None,
    preview: float | None,
    as_json: bool,
) -> None:
    """Measure a model on colour films.

    The luma of each film is coloured frame by frame and steadily. Both are measured beside the grey
    film, which is perfectly still, and the true one; docs/metrics.md explains the measures.
    """
    from pix2color.evaluation import records, tables
    from pix2color.evaluation.film_scores import evaluate_film, mean_over_films
    from pix2color.inference.colorizer import Colorizer

    colorizer, options = Colorizer.load(model), ColorizeOptions(render_size=render_size)
    found = {}
    for film in dict.fromkeys(films):  # one that is named twice counts once
        found[str(film)] = evaluate_film(film, colorizer, options, preview)
        if not as_json:
            click.echo(tables.film_table(str(film), found[str(film)]) + "\n")
    mean = mean_over_films(list(found.values()))
    if as_json:
        each = {film: records.film_as_dict(figures) for film, figures in found.items()}
        click.echo(json.dumps({"films": each, "mean": records.film_as_dict(mean)}, indent=2))
    elif len(found) > 1:
        click.echo(tables.film_table(f"mean of {len(found)} films", mean))
