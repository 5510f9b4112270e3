"""One recipe trained several times, each time without another part of the photos."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pix2color.config.load import load_recipe
from pix2color.data.sources import AnyPhoto, Photo, PhotoFile, collect
from pix2color.errors import UsageError
from pix2color.evaluation.systems import GRAY, MODEL
from pix2color.evaluation.tables import aligned, known_measures
from pix2color.experiments.results import as_csv
from pix2color.experiments.reuse import evaluate_or_reuse, resumable, train_or_reuse
from pix2color.files import write_bytes
from pix2color.progress import say
from pix2color.training.setup import with_absolute_paths

Figures = dict[str, dict[str, float]]
"""Figures by ``gray`` and ``model``, then by measure."""


@dataclass(frozen=True)
class CrossValidation:
    """The figures of each fold.

    Attributes:
        folds: figures of the photos of each fold, by the model that was trained without them.
        photos: how many each fold was evaluated on.
        command: that made it.
    """

    folds: list[Figures]
    photos: list[int]
    command: str

    def values(self, row: str, measure: str) -> list[float]:
        """Return the figure of each fold."""
        return [fold[row][measure] for fold in self.folds]

    def mean(self, row: str, measure: str) -> float:
        """Return the mean over the folds."""
        return float(np.mean(self.values(row, measure)))

    def deviation(self, row: str, measure: str) -> float:
        """Return the standard deviation over the folds, by n − 1."""
        return float(np.std(self.values(row, measure), ddof=1))


def folds_of(photos: Sequence[AnyPhoto], folds: int) -> list[list[AnyPhoto]]:
    """Split the photos into so many parts, each with its share of every folder.

    What is in a part is decided by the contents of the files; copies of one stay together.

    Raises:
        UsageError: there are fewer photos than parts.
    """
    shares = {photo.path: photo.share for photo in photos}
    fold_of: dict[float, int] = {}
    parts: list[list[AnyPhoto]] = [[] for _ in range(folds)]
    for photo in sorted(photos, key=lambda photo: (photo.path.parent, shares[photo.path])):
        parts[fold_of.setdefault(shares[photo.path], len(fold_of) % folds)].append(photo)
    if not all(parts):
        raise UsageError(f"{folds} folds are too many for {len(fold_of)} different photos")
    return parts


def cross_validate(
    config: Path,
    settings: tuple[str, ...],
    flags: dict[str, Any],
    *,
    folds: int,
    out: Path,
    command: str = "",
) -> CrossValidation:
    """Train and evaluate once for each fold; what is done in ``out`` is kept.

    Args:
        config: the recipe.
        settings: ``key=value`` for it.
        flags: dotted key to value, ``data.train`` among them.
        folds: at least two.
        out: folder for runs and evaluations.
        command: the command line, for the JSON.

    Raises:
        Pix2colorError: recipe or photos are of no use, or a training has failed.
        Stopped: by a signal; the same call goes on.
    """
    photos = collect(flags["data.train"])
    files = [photo for photo in photos if isinstance(photo, PhotoFile)]
    if len(files) < len(photos):
        raise UsageError("--data: folds are made of files; give the photos that were prepared")
    parts = folds_of(files, folds)
    place = _linked(parts, out / "folds")
    figures: list[Figures] = []
    counts: list[int] = []
    for number, part in enumerate(parts, start=1):
        say(f"fold {number} of {folds}: {len(part)} photos are left out of training")
        chosen = {
            "data.train": [place / str(i) for i in range(1, folds + 1) if i != number],
            "data.val": [place / str(number)],
            "validation.on_training_photos": False,
            "name": f"fold-{number}",
            "runs_dir": out / "runs",
        }
        recipe = with_absolute_paths(load_recipe(None, config, settings, {**flags, **chosen}))
        with resumable():
            evaluation = evaluate_or_reuse(
                train_or_reuse(recipe), list[Photo](part), out / "evaluations"
            )
        rows = evaluation.rows.items()
        figures.append({row: {k: s.value for k, s in scores.items()} for row, scores in rows})
        counts.append(evaluation.photos)
    return CrossValidation(figures, counts, command)


def _linked(parts: list[list[PhotoFile]], folder: Path) -> Path:
    """Make folders of links to the parts, 1, 2, …, so that a run's recipe names its photos.

    They lie in a folder called by their contents: a run on other parts is never taken for one
    on these.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(
            "\n".join(["", *(str(photo.path) for photo in part)]).encode("utf-8", "replace")
        )
    place = folder / digest.hexdigest()[:16]
    shutil.rmtree(place, ignore_errors=True)  # half of the links, perhaps
    for number, part in enumerate(parts, start=1):
        (place / str(number)).mkdir(parents=True)
        for i, photo in enumerate(part):
            os.symlink(photo.path, place / str(number) / f"{i:07}{photo.path.suffix}")
    return place


def markdown(found: CrossValidation) -> str:
    """Return a table with a line a measure: mean ± sd of gray and model, then each fold."""
    numbers = [f"fold {i}" for i in range(1, len(found.folds) + 1)]
    lines = [["measure", "better", GRAY, MODEL, *numbers]]
    for name, measure in known_measures(found.folds[0][MODEL]).items():
        cells = [
            _shown(found.mean(row, name), measure.digits, found.deviation(row, name))
            for row in (GRAY, MODEL)
        ]
        cells += [_shown(value, measure.digits) for value in found.values(MODEL, name)]
        lines.append([measure.heading, measure.better, *cells])
    counts = ", ".join(map(str, found.photos))
    return f"{aligned(lines)}\n\nMean ± standard deviation over folds of {counts} photos.\n"


def _shown(value: float, digits: int, deviation: float | None = None) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def to_csv(found: CrossValidation) -> str:
    """Return CSV with two lines a fold, of the gray pictures and of the model."""
    return as_csv(
        [
            {"fold": number, "system": row, "photos": photos, **_plain(fold[row])}
            for number, (fold, photos) in enumerate(zip(found.folds, found.photos, strict=True), 1)
            for row in (GRAY, MODEL)
        ]
    )


def to_json(found: CrossValidation) -> str:
    """Return JSON with means, standard deviations and each fold."""
    names = found.folds[0][MODEL]
    summary = {
        row: {
            "mean": _plain({name: found.mean(row, name) for name in names}),
            "sd": _plain({name: found.deviation(row, name) for name in names}),
        }
        for row in (GRAY, MODEL)
    }
    folds = [{row: _plain(fold[row]) for row in (GRAY, MODEL)} for fold in found.folds]
    told = {"command": found.command, **summary, "photos": found.photos, "folds": folds}
    return json.dumps(told, indent=2, ensure_ascii=False)


def _plain(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def write(found: CrossValidation, folder: Path) -> None:
    """Write ``table.md``, ``table.csv`` and ``results.json``."""
    files = {"table.md": markdown, "table.csv": to_csv, "results.json": to_json}
    for name, made in files.items():
        write_bytes(folder / name, made(found).encode("utf-8", "replace"))
