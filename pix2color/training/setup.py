"""Photos, batches and budget of a run, from its recipe."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pix2color.config.schema import AnyRecipe, Recipe
from pix2color.data.batches import (
    Batch,
    EpochOrder,
    TrainingPhotos,
    default_workers,
    endless_batches,
    evaluation_batches,
)
from pix2color.data.sources import Photo, collect, limited, repeated, split
from pix2color.errors import DataError
from pix2color.progress import say
from pix2color.training.engine import Budget


def select_photos(recipe: Recipe) -> tuple[list[Photo], list[Photo]]:
    """Return photos for training and for validation; none is in both, unless the recipe says so."""
    photos = collect(recipe.data.train)
    if recipe.validation.on_training_photos:
        train = limited(photos, recipe.data.limit)
        return repeated(train, recipe.data.repeat), train
    if recipe.data.val:
        val = collect(recipe.data.val)
        kept_out = {photo.path for photo in val}
        train = [photo for photo in photos if photo.path not in kept_out]
        if not train:
            raise DataError(
                f"{recipe.data.val[0]}: --val holds all photos of --data, and none is left for "
                "training; give --val other photos, or leave it out"
            )
    else:
        train, val = split(photos, recipe.data.val_fraction)
    if not train:
        raise DataError(
            f"{recipe.data.train[0]}: no photo is left for training; "
            "give more photos, or a smaller --val-fraction"
        )
    return repeated(limited(train, recipe.data.limit), recipe.data.repeat), val


def training_batches(
    photos: list[Photo],
    recipe: Recipe,
    order: EpochOrder,
    device: torch.device,
    kind: type[TrainingPhotos] = TrainingPhotos,
    *,
    hints: bool = False,
) -> Generator[Batch, None, None]:
    """Yield training batches without end, as the recipe wants them, with or without hints."""
    workers = recipe.data.workers
    return endless_batches(
        kind(photos, recipe.data, recipe.seed, recipe.hints if hints else None),
        order,
        workers=default_workers(photos, device) if workers is None else workers,
        pin_memory=device.type == "cuda",
    )


def validation_squares(photos: list[Photo], recipe: Recipe) -> tuple[Tensor | None, list[Path]]:
    """Return validation squares, uint8 (N, 3, S, S) or None without photos, and the path of each.

    They are the first colour photos by their share, which their contents decide, so that no
    subject or folder comes first.
    """
    wanted = recipe.validation.photos
    found: list[Tensor] = []
    paths: list[Path] = []
    for pixels, of in evaluation_batches(
        sorted(photos, key=lambda photo: photo.share), size=recipe.validation.size, batch_size=8
    ):
        found.append(pixels)
        paths += of
        if len(paths) >= wanted:
            break
    if photos and not found:
        say("warning: no validation photo has colour; going on without validation")
    return (torch.cat(found)[:wanted] if found else None), paths[:wanted]


def resolve_budget(recipe: Recipe, order: EpochOrder) -> Budget:
    """Return the length of the training that the recipe wants."""
    budget = recipe.budget
    if budget.max_minutes is not None:
        return Budget(seconds=budget.max_minutes * 60)
    if budget.max_steps is not None:
        return Budget(steps=budget.max_steps)
    assert budget.epochs is not None  # one of the three, as BudgetConfig checks
    return Budget(steps=max(1, round(budget.epochs * order.steps_per_epoch)))


def with_absolute_paths(recipe: AnyRecipe) -> AnyRecipe:
    """Return the recipe with paths that hold wherever it is run again."""
    data = recipe.data
    paths = {"train": [p.resolve() for p in data.train], "val": [p.resolve() for p in data.val]}
    changes: dict[str, Any] = {"data": data.model_copy(update=paths)}
    weights = Path(recipe.model.encoder_weights)
    if weights.is_file():
        model = {"encoder_weights": str(weights.resolve())}
        changes["model"] = recipe.model.model_copy(update=model)
    if recipe.init is not None:
        changes["init"] = recipe.init.resolve()
    if recipe.teacher is not None:
        changes["teacher"] = recipe.teacher.resolve()
    if Path(recipe.feature_weights).is_file():
        changes["feature_weights"] = str(Path(recipe.feature_weights).resolve())
    return recipe.model_copy(update=changes)
