"""Training and evaluation of a recipe, each done once in an output folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pix2color import __version__
from pix2color.config.schema import AnyRecipe
from pix2color.data.sources import Photo
from pix2color.errors import Stopped
from pix2color.evaluation import systems as evaluated
from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.perceptual import Perceptual
from pix2color.evaluation.predictions import Predictions
from pix2color.evaluation.protocol import evaluate_photos
from pix2color.evaluation.records import as_dict
from pix2color.evaluation.scores import Score
from pix2color.evaluation.systems import GRAY, MODEL, Found
from pix2color.experiments.comparison_plan import check_same_recipe, with_room
from pix2color.experiments.costs import read_costs
from pix2color.experiments.results import System
from pix2color.files import write_bytes
from pix2color.inference.colorizer import Colorizer
from pix2color.models.model_file import model_hash
from pix2color.progress import say
from pix2color.training.run import resume, train
from pix2color.training.run_folder import CONFIG_IN_RUN, FINISHED, read_run


def train_and_evaluate(
    recipe: AnyRecipe, photos: list[Photo], out: Path, perceptual: Perceptual | None = None
) -> tuple[System, Evaluation]:
    """Train and evaluate a recipe; what is done in ``out`` already is kept.

    Raises:
        Pix2colorError: it cannot be.
        Stopped: by a signal; the same call goes on.
    """
    with resumable():
        run = train_or_reuse(recipe)
        evaluation = evaluate_or_reuse(run, photos, out / "evaluations", perceptual)
    scores, start = evaluation.rows[MODEL], _started_from(recipe, out)
    return System(run.name, scores, evaluation.systems[MODEL], read_costs(run), start), evaluation


@contextmanager
def resumable() -> Iterator[None]:
    """Report a stop as one of the whole command, which goes on when it is given again."""
    try:
        yield
    except Stopped as stopped:
        raise Stopped(
            "stopped, all is saved; the same command goes on", stopped.exit_code
        ) from None


def train_or_reuse(recipe: AnyRecipe) -> Path:
    """Return the run of a recipe with a name: kept if finished, gone on with if begun, else new.

    Raises:
        UsageError: it is there, but was trained by other settings.
        Pix2colorError: it cannot be trained.
    """
    assert recipe.name is not None
    folder = recipe.runs_dir / recipe.name
    recipe = with_room(recipe)
    if recipe.init is not None:
        recipe = recipe.model_copy(update={"init_hash": model_hash(recipe.init)})
    check_same_recipe(recipe, folder)
    if not (folder / CONFIG_IN_RUN).is_file():
        return train(recipe)
    run = read_run(folder)
    if run.state == FINISHED:
        say(f"{folder}: is trained already")
        return folder
    if run.checkpoint is None:  # stopped before anything was worth keeping
        shutil.rmtree(folder)
        return train(recipe)
    return resume(folder)


def evaluate_or_reuse(
    run: Path, photos: list[Photo], folder: Path, perceptual: Perceptual | None = None
) -> Evaluation:
    """Evaluate a run's model by the protocol, once for each model, photos, measures and version.

    Raises:
        DataError: no photo has colour.
    """
    place = _evaluation_of(run.name, model_hash(run), photos, folder, perceptual)
    return _once(MODEL, lambda: Colorizer.load(run), photos, place, perceptual)


def judge_or_reuse(
    predictions: Predictions,
    photos: list[Photo],
    folder: Path,
    perceptual: Perceptual | None = None,
) -> Evaluation:
    """Evaluate what a program has made of the photos, once as ``evaluate_or_reuse`` does.

    Raises:
        DataError: no photo has colour, or nothing that was made of them can be judged.
    """
    digest = hashlib.sha256()
    for photo, file in sorted(predictions.of.items()):
        state = file.stat()
        told = f"{photo}\n{file.resolve()}\n{state.st_size} {state.st_mtime_ns}\n"
        digest.update(os.fsencode(told))
    place = _evaluation_of(predictions.name, digest.hexdigest()[:16], photos, folder, perceptual)
    return _once(predictions.name, lambda: predictions, photos, place, perceptual)


def _evaluation_of(
    name: str,
    content: str,
    photos: list[Photo],
    folder: Path,
    perceptual: Perceptual | None,
) -> Path:
    """Return the file of an evaluation; those in its folder are of the same photos."""
    measures = f"{perceptual.features} {perceptual.measures}" if perceptual else ""
    digest = hashlib.sha256(f"{__version__} {measures}".encode())
    for photo in photos:
        digest.update(os.fsencode(photo.path) + str(photo.share).encode())
    return folder / digest.hexdigest()[:16] / f"{name}-{content}.json"


def _once(
    name: str,
    system: Callable[[], evaluated.System],
    photos: list[Photo],
    path: Path,
    perceptual: Perceptual | None,
) -> Evaluation:
    """Evaluate a system, whose row is called ``name``, unless that is done in the file."""
    if path.is_file():
        say(f"{path.stem.rpartition('-')[0]}: is evaluated already")
        return _read(path)
    others = sorted(path.parent.glob("*.json"))
    gray = _read(others[0]).rows[GRAY] if others else None
    evaluation = evaluate_photos({name: system()}, photos, perceptual=perceptual, gray=gray)
    found = {**as_dict(evaluation), **asdict(evaluation.systems[name])}
    write_bytes(path, json.dumps(found).encode())
    return evaluation


def _read(path: Path) -> Evaluation:
    found = json.loads(path.read_text(encoding="utf-8"))
    system = Found(**{key: found.pop(key) for key in ("pictures", "missing", "unusable")})
    rows = {
        row: {
            name: Score(math.nan if value is None else value, low, high)
            for name, (value, low, high) in scores.items()
        }
        for row, scores in found.pop("rows").items()
    }
    (name,) = rows.keys() - {GRAY}
    return Evaluation(rows=rows, systems={name: system}, **found)


def _started_from(recipe: AnyRecipe, out: Path) -> str | None:
    """Return the name of the model that training started from; None if from scratch."""
    init = recipe.init
    if init is not None:
        return init.name if init.parent == (out / "runs").resolve() else str(init)
    if recipe.model.encoder_weights == "none":
        return None
    return f"an encoder ({recipe.model.encoder_weights})"
