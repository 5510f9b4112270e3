"""The human test: people judge real and coloured photos in random order.

As in Zhang et al. 2016 (arXiv:1603.08511) the figure is the share of a system's pictures that
people take for real; here a picture is judged by itself, not beside its original, and real photos
are judged, too: how often they are believed is what a perfect system would reach.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pix2color.data.sources import MIN_PROTOCOL_COLORFULNESS, Photo, collect, picture_colorfulness
from pix2color.errors import DataError, ImageError, MissingPathError, UsageError
from pix2color.evaluation.tables import aligned
from pix2color.files import write_bytes
from pix2color.html.gallery import check_place, data_url
from pix2color.html.rendering import template
from pix2color.inference.colorizer import Colorizer
from pix2color.models.model_file import model_hash
from pix2color.progress import say, track

REAL, COLORED = "real", "coloured"
"""What a viewer says of a picture; the first is also the name of the photos themselves."""
_LONG_SIDE = 512
_QUALITY = 90
_KIND = "pix2color-judge"


@dataclass(frozen=True)
class Rate:
    """The count of one system's pictures that were taken for real."""

    system: str
    fooled: int
    shown: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval (1927, doi:10.1080/01621459.1927.10502953), within [0, 1]."""
        z, n = 1.959964, self.shown
        share = self.fooled / n
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


def write_page(runs: list[Path], folders: list[Path], out: Path, *, trials: int) -> int:
    """Write the page, which needs nothing else: each photo as it is and as each system has it.

    Args:
        runs: run folders or model files; a system is called as its run or file.
        folders: of colour photos, searched recursively.
        out: the HTML file.
        trials: at most so many photos, chosen by content.

    Returns:
        The number of photos on the page.

    Raises:
        UsageError: two systems have one name, or ``out`` is no page of ours.
        MissingPathError, ModelError: a run or folder cannot be used.
        DataError: there are too few colour photos for every system to be seen.
    """
    check_place(out)
    systems = {path.name if path.is_dir() else path.stem: path for path in map(Path.resolve, runs)}
    if len(systems) < len(runs) or REAL in systems:
        raise UsageError(f"give each run a name of its own, other than {REAL!r}")
    colorizers = {name: Colorizer.load(path) for name, path in systems.items()}
    photos = sorted(collect(folders), key=lambda photo: photo.share)
    versions: list[dict[str, str]] = []
    with track("judge", trials, "photos") as progress:
        for photo in photos:
            truth = _truth(photo)
            if truth is None:
                continue
            pictures = {REAL: truth} | {n: c.colorize(truth) for n, c in colorizers.items()}
            versions.append({name: data_url(p, _QUALITY) for name, p in pictures.items()})
            progress(len(versions))
            if len(versions) == trials:
                break
    if len(versions) < 2 * len(systems):
        raise DataError(
            f"{folders[0]}: {len(versions)} colour photos are too few for {len(systems)} systems; "
            f"give at least {2 * len(systems)}"
        )
    models = {name: model_hash(path) for name, path in systems.items()}
    page = template("judge.html").render(models=models, photos=versions, kind=_KIND)
    write_bytes(out, page.encode("utf-8", "replace"))
    return len(versions)


def _truth(photo: Photo) -> Image.Image | None:
    """Return a photo at the size of the page; None if it is gray or cannot be read."""
    try:
        picture = photo.read(min_side=_LONG_SIDE)
    except ImageError:
        return None
    if picture_colorfulness(picture) < MIN_PROTOCOL_COLORFULNESS:
        return None
    picture.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
    return picture


def score(files: list[Path]) -> list[Rate]:
    """Add up the answers that viewers have saved; real photos come first.

    A session that was saved twice counts once.

    Raises:
        MissingPathError: a file is not there.
        DataError: a file holds no answers of ours, or is about other models of the same name.
    """
    shown: Counter[str] = Counter()
    fooled: Counter[str] = Counter()
    models: dict[str, str] = {}
    sessions: set[str] = set()
    for file in files:
        found = _read(file)
        for name, model in found["models"].items():
            if models.setdefault(name, model) != model:
                raise DataError(f"{file}: its {name} is another model than in the files before")
        if found["session"] in sessions:
            say(f"{file}: its session is counted already")
            continue
        sessions.add(found["session"])
        for answer in found["answers"]:
            shown[answer["system"]] += 1
            fooled[answer["system"]] += answer["said"] == REAL
    names = sorted(shown, key=lambda name: (name != REAL, name))
    return [Rate(name, fooled[name], shown[name]) for name in names]


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise MissingPathError(f"{file}: no such file of answers")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        answers, known = found["answers"], {REAL, *found["models"]}
        sound = all(a["system"] in known and a["said"] in (REAL, COLORED) for a in answers)
        if found["kind"] != _KIND or not found["session"] or not answers or not sound:
            raise ValueError
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: no answers that the page of pix2color judge has saved") from error
    return dict(found)


def table(rates: list[Rate]) -> str:
    """Return a table with a line for each system."""
    lines = [["system", "taken for real", "95 % interval", "pictures"]]
    for rate in rates:
        low, high = rate.interval
        share = rate.fooled / rate.shown
        lines.append(
            [rate.system, f"{share:.0%}", f"[{low:.0%}, {high:.0%}]", f"{rate.fooled}/{rate.shown}"]
        )
    return aligned(lines)


def as_json(rates: list[Rate]) -> str:
    """Return the rates as JSON."""
    return json.dumps(
        [
            {"system": r.system, "fooled": r.fooled, "shown": r.shown, "interval": r.interval}
            for r in rates
        ],
        indent=2,
        ensure_ascii=False,
    )
