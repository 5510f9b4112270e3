"""A training run: from a recipe to a folder with curves, checkpoints and a model."""

from __future__ import annotations

import inspect
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2color import console
from pix2color.config import GanRecipe, ModelConfig, OptimizerConfig, PretrainRecipe, Recipe
from pix2color.data.loader import (
    Batch,
    EpochOrder,
    TrainingPhotos,
    default_workers,
    evaluation_batches,
    training_batches,
)
from pix2color.data.photos import Photo, collect, limited, split
from pix2color.errors import ConfigError, DataError, MissingPathError, Stopped, UsageError
from pix2color.models import Generator, build_discriminator, build_generator
from pix2color.models.files import load_model
from pix2color.recipes import load_recipe
from pix2color.runs import CHECKPOINTS_IN_RUN, CONFIG_IN_RUN, is_finished
from pix2color.training import checkpoint
from pix2color.training.engine import Budget, Engine, make_accelerator
from pix2color.training.keeper import RunKeeper
from pix2color.training.launch import is_restarted, join
from pix2color.training.stopping import StopRequest
from pix2color.training.tasks import AdversarialTask, RegressionTask, Task


def train(recipe: PretrainRecipe | GanRecipe) -> Path:
    """Train from the start as ``recipe`` says.

    Nothing is written before photos, networks and the first batch are known to be good.

    Returns:
        The run folder.

    Raises:
        UsageError: the run's folder exists already, or a setting that is needed is missing.
        Pix2colorError: photos or the model to start from are of no use.
    """
    name = recipe.name or f"{recipe.task}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = (recipe.runs_dir / name).resolve()
    restarted = is_restarted(recipe)
    if restarted and checkpoint.exists(folder / CHECKPOINTS_IN_RUN):
        return resume(folder, task=recipe.task)
    if folder.exists() and not restarted:
        raise UsageError(f"{folder}: exists; choose another --name, or --resume {folder}")
    if not recipe.data.train:
        raise UsageError("no photos to train on; name a folder of colour photos with --data")
    torch.manual_seed(recipe.seed)
    if recipe.init is not None:
        generator, info = load_model(recipe.init)
        model = ModelConfig(name=info.architecture, options=info.options)
    elif isinstance(recipe, GanRecipe):
        raise UsageError(
            "train-gan starts from a pretrained generator; name its run or file with --init"
        )
    else:
        model = recipe.model
        generator = build_generator(
            model.name, model.options, encoder_weights=model.encoder_weights
        )
    places = {"runs_dir": folder.parent, "name": folder.name, "model": model}
    return _run(folder, _absolute(recipe.model_copy(update=places)), generator, state=None)


def resume(folder: Path, *, task: str | None = None, workers: int | None = None) -> Path:
    """Go on with a run from its newest checkpoint, exactly as if it had not been stopped.

    Args:
        folder: the run.
        task: refuse a run of another one.
        workers: another number of data processes, which changes nothing but the speed.

    Raises:
        MissingPathError: ``folder`` is no run.
        ModelError: it has no readable checkpoint.
    """
    folder = folder.resolve()
    config = folder / CONFIG_IN_RUN
    if not config.is_file():
        raise MissingPathError(f"{folder}: no run to resume; it has no {CONFIG_IN_RUN}")
    recipe = load_recipe(task, config, flags={"data.workers": workers})
    generator = build_generator(recipe.model.name, recipe.model.options)
    return _run(
        folder, recipe, generator, state=checkpoint.load_newest(folder / CHECKPOINTS_IN_RUN)
    )


def build_task(recipe: PretrainRecipe | GanRecipe, generator: Generator) -> Task:
    """The task of a recipe: optimizers, losses and, in stage two, a fresh discriminator."""
    optimizer = _optimizer(generator, recipe.optimizer, "optimizer")
    if isinstance(recipe, PretrainRecipe):
        return RegressionTask(generator, optimizer, recipe)
    config = recipe.discriminator
    discriminator = build_discriminator(config.name, config.options)
    critic_optimizer = _optimizer(
        discriminator, recipe.discriminator_optimizer, "discriminator_optimizer"
    )
    return AdversarialTask(generator, discriminator, (optimizer, critic_optimizer), recipe)


def _run(
    folder: Path,
    recipe: PretrainRecipe | GanRecipe,
    generator: Generator,
    state: dict[str, Any] | None,
) -> Path:
    photos, val_photos = photos_of(recipe)
    join()
    accelerator = make_accelerator(recipe.device, recipe.precision)
    order = EpochOrder(
        len(photos),
        recipe.data.batch_size,
        seed=recipe.seed,
        first_step=state["step"] if state else 0,
        rank=accelerator.process_index,
        processes=accelerator.num_processes,
        accumulate=recipe.accumulate,
    )
    budget = _budget(recipe, order)
    engine = Engine(build_task(recipe, generator), accelerator, budget, recipe)
    if isinstance(recipe, GanRecipe) and (budget.steps or math.inf) <= recipe.critic_warmup_steps:
        raise UsageError(
            f"critic_warmup_steps: {recipe.critic_warmup_steps} steps of warm-up leave nothing "
            f"of a budget of {budget.steps} steps; give more, or --set critic_warmup_steps=…"
        )
    if state:
        if state["processes"] != order.processes:
            raise UsageError(
                f"{folder}: was trained by {state['processes']} processes, which decides its "
                "batches; resume it with as many"
            )
        engine.load_state_dict(state["engine"])
        if engine.spent_share() >= 1 and is_finished(folder):
            console.say(f"{folder}: finished already, at step {engine.step_number}")
            return folder
    batches = batches_of(photos, recipe, order, engine.device)
    first = next(batches)
    engine.try_out(first.pixels)
    keeper: RunKeeper | None = None
    if accelerator.is_main_process:
        pixels = _validation_pixels(val_photos, recipe) if val_photos else None
        keeper = RunKeeper(folder, recipe, engine, order, pixels)
        keeper.begin(photos, state)
    try:
        with StopRequest(accelerator, recipe.log_every) as stop:
            engine.fit(
                itertools.chain([first], batches),
                keeper.after_step if keeper else _ignore,
                stop.agreed,
            )
            if stop.received and engine.spent_share() < 1:
                if keeper:
                    keeper.stop()
                raise Stopped(
                    f"{stop.name}: stopped at step {engine.step_number}, all is saved; "
                    f"go on with: pix2color {recipe.task} --resume {folder}",
                    stop.exit_code,
                )
            if keeper:
                keeper.finish()
    finally:
        if keeper:
            keeper.close()
    return folder


def photos_of(recipe: Recipe) -> tuple[list[Photo], list[Photo]]:
    """Photos for training and for validation; none is in both, unless the recipe says so."""
    photos = collect(recipe.data.train)
    if recipe.validation.on_training_photos:
        train = limited(photos, recipe.data.limit)
        return train, train
    if recipe.data.val:
        val = collect(recipe.data.val)
        kept_out = {photo.path for photo in val}
        train = [photo for photo in photos if photo.path not in kept_out]
    else:
        train, val = split(photos, recipe.data.val_fraction)
    if not train:
        raise DataError(
            f"{recipe.data.train[0]}: no photo is left for training; "
            "give more photos, or a smaller --val-fraction"
        )
    return limited(train, recipe.data.limit), val


def batches_of(
    photos: list[Photo], recipe: Recipe, order: EpochOrder, device: torch.device
) -> Iterator[Batch]:
    """Endless training batches as the recipe wants them."""
    workers = recipe.data.workers
    return training_batches(
        TrainingPhotos(photos, recipe.data, recipe.seed),
        order,
        workers=default_workers(photos, device) if workers is None else workers,
        pin_memory=device.type == "cuda",
    )


def _validation_pixels(photos: list[Photo], recipe: Recipe) -> Tensor | None:
    """The first so many colour photos in the order of their contents, which is no order."""
    wanted = recipe.validation.photos
    found: list[Tensor] = []
    for pixels, _ in evaluation_batches(
        sorted(photos, key=lambda photo: photo.share), size=recipe.validation.size, batch_size=8
    ):
        found.append(pixels)
        if sum(map(len, found)) >= wanted:
            break
    if not found:
        console.say("warning: no validation photo has colour; going on without validation")
        return None
    return torch.cat(found)[:wanted]


def _budget(recipe: Recipe, order: EpochOrder) -> Budget:
    budget = recipe.budget
    if budget.max_minutes is not None:
        return Budget(seconds=budget.max_minutes * 60)
    if budget.max_steps is not None:
        return Budget(steps=budget.max_steps)
    assert budget.epochs is not None  # one of the three, as BudgetConfig checks
    return Budget(steps=max(1, round(budget.epochs * order.steps_per_epoch)))


def _optimizer(module: nn.Module, config: OptimizerConfig, key: str) -> Optimizer:
    kind: type[Optimizer] = getattr(torch.optim, config.name)
    known = [name for name in inspect.signature(kind).parameters if name not in ("params", "lr")]
    for option in config.options:
        if option not in known:
            raise ConfigError(
                f"{key}.options: {config.name} has no {option!r}; it has: {', '.join(known)}"
            )
    try:
        return kind(module.parameters(), lr=config.lr, **config.options)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}.options {config.options} do not fit: {error}") from error


def _absolute(recipe: PretrainRecipe | GanRecipe) -> PretrainRecipe | GanRecipe:
    """The recipe with paths that hold wherever it is run again."""
    data = recipe.data
    paths = {"train": [p.resolve() for p in data.train], "val": [p.resolve() for p in data.val]}
    changes: dict[str, Any] = {"data": data.model_copy(update=paths)}
    weights = Path(recipe.model.encoder_weights)
    if weights.is_file():
        model = {"encoder_weights": str(weights.resolve())}
        changes["model"] = recipe.model.model_copy(update=model)
    if recipe.init is not None:
        changes["init"] = recipe.init.resolve()
    return recipe.model_copy(update=changes)


def _ignore(batches: list[Batch], curves: dict[str, Tensor]) -> None:
    """What the other processes of a distributed run keep: nothing."""
