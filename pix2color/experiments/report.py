"""The report of trained systems in an output folder: what it shows, and where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pix2color.data.sources import Photo
from pix2color.evaluation.protocol import protocol_pictures
from pix2color.experiments.html_report import PAGE, worst_photos, write_report
from pix2color.experiments.results import Comparison
from pix2color.inference.colorizer import Colorizer

_WORST = 8  # pictures of worst cases, shared out among the systems


def report_page(out: Path) -> Path:
    """Return the path of the report's page."""
    return out / "report" / PAGE


def make_report(out: Path, found: Comparison, photos: list[Photo], samples: int) -> Path:
    """Write ``out/report/``, with so many photos, and each system's worst cases.

    Returns:
        its page.
    """
    worst = worst_photos(found.systems, max(1, _WORST // len(found.systems)))
    others = [p["photo"] for p in found.systems[0].photos if p["photo"] not in worst]
    places = np.linspace(0, len(others) - 1, min(samples, len(others))).round().astype(int)
    wanted = {*worst, *(others[place] for place in places)}
    chosen = [photo for photo in photos if str(photo.path) in wanted]
    pictures = {
        system.name: protocol_pictures(Colorizer.load(out / "runs" / system.name), chosen)
        for system in found.systems
    }
    page = report_page(out)
    write_report(found, pictures, worst, page.parent)
    return page
