"""The pretraining of an encoder: ResNet18 learns the photos' folders, or from another encoder."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pix2color.config.schema import CLASSIFIED, Recipe, ValidationConfig
from pix2color.data.batches import Batch, EpochOrder, TrainingPhotos
from pix2color.data.reading_processes import FEWER, reading_processes
from pix2color.data.sources import Photo
from pix2color.errors import MissingPathError, Stopped, UsageError
from pix2color.models.encoders import ResNet, resnet18_gray
from pix2color.models.model_file import write_tensors
from pix2color.processes import world_size
from pix2color.progress import say
from pix2color.training.classification import (
    ClassificationTask,
    LabelledPhotos,
    label,
    numbered,
)
from pix2color.training.distillation import DistillationTask, Student, load_teacher
from pix2color.training.engine import Engine, make_accelerator
from pix2color.training.optimizers import build_optimizer
from pix2color.training.recorder import Recorder
from pix2color.training.setup import (
    resolve_budget,
    select_photos,
    training_batches,
    validation_squares,
)
from pix2color.training.stopping import StopPolicy
from pix2color.training.supervision import Supervisor
from pix2color.training.task import Task
from pix2color.training.warmup import shorten_warmups


@dataclass(frozen=True)
class Pretrained:
    """The result of pretraining an encoder.

    Attributes:
        folders: names of the folders that it tells apart.
        accuracy: share of the validation photos that it puts into their folder, …
        commonest: … and that always naming their commonest one would. None without validation.
    """

    folders: list[str]
    accuracy: float | None
    commonest: float | None

    def summary(self) -> str:
        """Return the result in one line."""
        if self.accuracy is None:
            return f"{len(self.folders)} folders, no validation"
        return (
            f"{len(self.folders)} folders, accuracy {self.accuracy:.3f} "
            f"(always the commonest: {self.commonest:.3f})"
        )


@dataclass(frozen=True)
class Distilled:
    """The result of distilling an encoder.

    Attributes:
        teacher: timm's name of the encoder that it imitates.
        likeness: cosine of both encoders' features on the validation photos; None without any.
    """

    teacher: str
    likeness: float | None

    def summary(self) -> str:
        """Return the result in one line."""
        known = "no validation" if self.likeness is None else f"likeness {self.likeness:.3f}"
        return f"taught by {self.teacher}, {known}"


def pretrain_encoder(recipe: Recipe, out: Path) -> Pretrained:
    """Train ResNet18 on gray photos and their folders, and write it.

    Of the recipe's model only ``encoder_weights`` counts: what to start from. The curves are in
    TensorBoard's folder ``recipe.name``; validation is after every epoch.

    Args:
        recipe: photos, batches, optimizer, schedule, budget, averaging.
        out: safetensors with torchvision's names, which ``encoder_weights`` takes.

    Raises:
        UsageError: no photos are named, or the folder for TensorBoard exists.
        MissingPathError: the folder of ``out`` is not there.
        DataError: the photos are of no use, or all in one folder.
        Stopped: by a signal; it cannot be gone on with.
    """
    folder = _new_folder(recipe, out)
    torch.manual_seed(recipe.seed)
    photos, val_photos = select_photos(recipe)
    names = numbered(photos)
    encoder = _start(recipe)
    encoder.fc = nn.Linear(encoder.fc.in_features, len(names))
    task = ClassificationTask(encoder, build_optimizer(encoder, recipe.optimizer, "optimizer"))
    say(f"{len(photos)} photos in {len(names)} folders: {', '.join(names)}")
    validation = _labelled_squares(val_photos, names, recipe)
    network, scores = _learn(recipe, folder, task, photos, validation, LabelledPhotos)
    _save(network, {"folders": json.dumps(list(names))}, out)
    if validation is None or validation.labels is None:
        return Pretrained(list(names), None, None)
    commonest = validation.labels.bincount().max().item() / len(validation)
    return Pretrained(list(names), scores["accuracy"], commonest)


def distil_encoder(recipe: Recipe, out: Path, teacher: str) -> Distilled:
    """Train ResNet18 to see gray photos as a trained encoder does, and write it.

    Arguments and errors are those of ``pretrain_encoder``; ``teacher`` is timm's name of the
    encoder, such as ``tf_efficientnet_lite0``.

    Raises:
        ConfigError, ModelError: there is no such encoder, or its weights are not to be had.
    """
    folder = _new_folder(recipe, out)
    torch.manual_seed(recipe.seed)
    network = load_teacher(teacher)
    features: Any = network.feature_info
    student = Student(_start(recipe), features.channels()[1:])
    photos, val_photos = select_photos(recipe)
    optimizer = build_optimizer(student, recipe.optimizer, "optimizer")
    squares, _ = validation_squares(val_photos, recipe)
    validation = None if squares is None else Batch(squares)
    task = DistillationTask(student, network, optimizer)
    learnt, scores = _learn(recipe, folder, task, photos, validation, TrainingPhotos)
    assert isinstance(learnt, Student)
    _save(learnt.encoder, {"teacher": teacher}, out)
    return Distilled(teacher, scores.get("likeness"))


def _start(recipe: Recipe) -> ResNet:
    weights = recipe.model.encoder_weights
    return resnet18_gray("none" if weights == CLASSIFIED else weights)


@reading_processes(lambda: FEWER + "start again")
def _learn(
    recipe: Recipe,
    folder: Path,
    task: Task,
    photos: list[Photo],
    validation: Batch | None,
    kind: type[TrainingPhotos],
) -> tuple[nn.Module, dict[str, float]]:
    """Train a task's network; return it, and the scores of its last validation."""
    order = EpochOrder(
        len(photos), recipe.data.batch_size, seed=recipe.seed, accumulate=recipe.accumulate
    )
    budget = resolve_budget(recipe, order)
    recipe, notes = shorten_warmups(recipe, budget.steps)
    engine = Engine(task, make_accelerator(recipe.device, recipe.precision), budget, recipe)
    batches = training_batches(photos, recipe, order, engine.device, kind)
    first = next(batches)
    engine.try_out(first)
    for note in notes:
        say(note)
    with StopPolicy(engine, str(folder), every=1, max_skipped=recipe.max_skipped) as stop:
        recorder = Recorder(folder, recipe, engine, order, stop)
        every_epoch = ValidationConfig(every_minutes=None, every_steps=order.steps_per_epoch)
        supervisor = Supervisor(engine, recorder, validation, every_epoch)
        with recorder.opened("pretrain-encoder"):
            engine.fit(itertools.chain([first], batches), supervisor.after_step, stop.agreed)
            if stop.interrupted:
                message = f"{stop.signal_name}: stopped; no encoder was written"
                raise Stopped(message, stop.exit_code)
            recorder.log()
            supervisor.validate()
    return engine.exported, recorder.scores


def classified_encoder(recipe: Recipe, run: Path) -> Path:
    """Return the file of an encoder that has learnt the folders, made beside a run to begin.

    It lies beside the run that is to begin, and is used again by a run of the same recipe and
    photos.

    Raises:
        UsageError: there are several processes; the rest as for ``pretrain_encoder``.
    """
    if world_size() > 1:
        raise UsageError(
            "model.encoder_weights: classified is trained in one process; make a file with "
            "pretrain-encoder first and give its path"
        )
    digest = hashlib.sha256(recipe.model_dump_json(exclude={"name", "runs_dir"}).encode())
    for photo in select_photos(recipe)[0]:
        digest.update(os.fsencode(photo.path))
    path = run.with_name(f"{run.name}-encoder-{digest.hexdigest()[:8]}.safetensors")
    if not path.is_file():
        run.parent.mkdir(parents=True, exist_ok=True)
        encoder = pretrain_encoder(recipe.model_copy(update={"name": None}), path)
        say(f"encoder: {encoder.summary()}")
    return path


def _new_folder(recipe: Recipe, out: Path) -> Path:
    """Return the folder of the curves, after all checks that need no training."""
    folder = recipe.runs_dir / (recipe.name or f"encoder-{time.strftime('%Y%m%d-%H%M%S')}")
    if folder.exists():
        raise UsageError(f"{folder}: exists; choose another --name")
    if not recipe.data.train:
        raise UsageError("no photos to train on; name a folder of colour photos with --data")
    if not out.parent.is_dir():
        raise MissingPathError(f"--out {out}: there is no folder {out.parent}; make it first")
    return folder


def _labelled_squares(photos: list[Photo], names: dict[str, int], recipe: Recipe) -> Batch | None:
    """Return labelled squares of those photos whose folder is known from training."""
    known = [photo for photo in photos if label(photo.path) in names]
    if photos and not known:
        say("warning: no validation photo is in a folder of a name known from training")
    pixels, paths = validation_squares(known, recipe)
    if pixels is None:
        return None
    return Batch(pixels, labels=torch.tensor([names[label(path)] for path in paths]))


def _save(network: nn.Module, metadata: dict[str, str], out: Path) -> None:
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    write_tensors(out, state, metadata)
