"""The report of trained systems in an output folder: what it shows, and where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pix2color.data.sources import Photo
from pix2color.evaluation import systems as evaluated
from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.protocol import protocol_pictures
from pix2color.evaluation.systems import GRAY
from pix2color.experiments.html_report import PAGE, worst_photos, write_report
from pix2color.experiments.results import Comparison, System
from pix2color.inference.colorizer import Colorizer

_WORST = 8  # pictures of worst cases, shared out among the systems


def report_page(out: Path) -> Path:
    """Return the path of the report's page."""
    return out / "report" / PAGE


def make_report(out: Path, found: Comparison, photos: list[Photo], samples: int) -> Path:
    """Write ``out/report/``, with so many photos, and each system's worst cases.

    Systems that say not what has made their pictures are the runs in ``out/runs/``.

    Returns:
        its page.
    """
    page = report_page(out)
    write_page(page, found, photos, samples, runs=out / "runs")
    return page


def report_evaluation(
    evaluation: Evaluation,
    systems: Mapping[str, evaluated.System],
    photos: Sequence[Photo],
    samples: int,
    page: Path,
    command: str = "",
) -> None:
    """Write the page of an evaluation, and its tables beside it, as those of a comparison.

    Args:
        evaluation: by our own protocol.
        systems: that were evaluated.
        photos: on which.
        samples: show so many of them.
        page: in a folder of its own.
        command: that made it.
    """
    found = Comparison(
        systems=[
            System(name, evaluation.rows[name], of, made_by=systems[name])
            for name, of in evaluation.systems.items()
        ],
        gray=evaluation.rows[GRAY],
        photos=evaluation.photos,
        left_out=evaluation.left_out,
        budget="",
        failed={},
        command=command,
    )
    write_page(page, found, photos, samples)


def write_page(
    page: Path,
    found: Comparison,
    photos: Sequence[Photo],
    samples: int,
    runs: Path = Path(),
) -> None:
    """Write a comparison's page, with so many photos, and its tables beside it."""
    worst = worst_photos(found.systems, max(1, _WORST // len(found.systems)))
    most = max(found.systems, key=lambda system: len(system.photos))
    others = [p["photo"] for p in most.photos if p["photo"] not in worst]
    places = np.linspace(0, len(others) - 1, min(samples, len(others))).round().astype(int)
    wanted = {*worst, *(others[place] for place in places)}
    chosen = [photo for photo in photos if str(photo.path) in wanted]
    pictures = {
        system.name: protocol_pictures(system.made_by or Colorizer.load(runs / system.name), chosen)
        for system in found.systems
    }
    write_report(found, pictures, worst, page.parent)
