"""A training run: from a recipe to a folder with curves, checkpoints and a model."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from pix2color.config.load import load_recipe
from pix2color.config.schema import CLASSIFIED, AnyRecipe, DoubtRecipe, ModelConfig, Recipe
from pix2color.data.batches import Batch, EpochOrder
from pix2color.data.reading_processes import FEWER, reading_processes
from pix2color.data.sources import Photo
from pix2color.errors import MissingPathError, ModelError, Stopped, UsageError
from pix2color.models.base import Generator
from pix2color.models.generators.slim_unet import SlimUNet
from pix2color.models.model_file import load_model, model_hash
from pix2color.models.precision import faster_precision
from pix2color.models.registry import build_generator, check_encoder
from pix2color.processes import world_size
from pix2color.progress import say
from pix2color.training import checkpoint
from pix2color.training.checkpointer import Checkpointer
from pix2color.training.continuation import check_circumstances
from pix2color.training.encoder_pretraining import classified_encoder
from pix2color.training.engine import Engine, device_type, make_accelerator
from pix2color.training.launch import is_restarted, join
from pix2color.training.recorder import Recorder
from pix2color.training.run_folder import CHECKPOINTS_IN_RUN, CONFIG_IN_RUN, is_finished
from pix2color.training.run_lock import locked
from pix2color.training.saturation import match_saturation
from pix2color.training.setup import (
    resolve_budget,
    select_photos,
    training_batches,
    validation_squares,
    with_absolute_paths,
)
from pix2color.training.stopping import StopPolicy
from pix2color.training.supervision import Supervisor
from pix2color.training.tasks import build_task
from pix2color.training.warmup import shorten_warmups


def train(recipe: AnyRecipe) -> Path:
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
        going_on = f", or {_going_on(recipe, folder)}" if _is_run(folder) else ""
        raise UsageError(f"{folder}: exists; choose another --name{going_on}")
    return _start(folder, recipe)


def _start(folder: Path, recipe: AnyRecipe) -> Path:
    """Train from the start in a folder that is new, or has no checkpoint yet; see ``train``."""
    if not recipe.data.train:
        raise UsageError("no photos to train on; name a folder of colour photos with --data")
    torch.manual_seed(recipe.seed)
    if recipe.init is not None:
        found = model_hash(recipe.init)
        if recipe.init_hash not in (None, found):
            raise UsageError(
                f"{recipe.init}: is not the model that the recipe started from (init_hash); "
                "give that one, or --set init_hash=null"
            )
        generator, info = load_model(recipe.init)
        if isinstance(generator, SlimUNet):
            doubts = isinstance(recipe, DoubtRecipe)
            info.options |= {"doubt": doubts}
            if doubts and not generator.gives_doubt:
                generator.add_doubt()
            elif generator.gives_doubt and not doubts:
                generator.drop_doubt()
        model = ModelConfig(name=info.architecture, options=info.options)
        recipe = recipe.model_copy(update={"init_hash": found})
    elif not recipe.from_scratch:
        raise UsageError(
            f"{recipe.task}: starts from a pretrained generator; name its run or file with --init"
        )
    else:
        model = recipe.model
        weights = model.encoder_weights
        if weights == CLASSIFIED:
            check_encoder(model.name)
            weights = str(classified_encoder(recipe, folder))
        generator = build_generator(model.name, model.options, encoder_weights=weights)
    known = {"runs_dir": folder.parent, "name": folder.name, "model": model}
    known["precision"] = _precision(recipe, generator)
    recipe = with_absolute_paths(recipe.model_copy(update=known))
    return _run(folder, recipe, generator, state=None)


def resume(
    folder: Path, *, task: str | None = None, changes: Mapping[str, Any] = MappingProxyType({})
) -> Path:
    """Go on with a run from its newest checkpoint, exactly as if it had not been stopped.

    One that was stopped before its first checkpoint starts again.

    Args:
        folder: the run.
        task: refuse a run of another one.
        changes: dotted key to value of settings that do not change the run: ``data.workers``, and
            ``data.train`` and ``data.val`` of photos that have moved.

    Raises:
        MissingPathError: ``folder`` is no run, or its photos have moved.
        UsageError: another process trains it, or its settings were changed since.
        ModelError: none of its checkpoints is readable.
    """
    folder = folder.resolve()
    if not _is_run(folder):
        raise MissingPathError(f"{folder}: no run to resume; it has no {CONFIG_IN_RUN}")
    recipe = load_recipe(task, folder / CONFIG_IN_RUN, flags=dict(changes))
    recipe = with_absolute_paths(recipe)
    for flag, places in (("--data", recipe.data.train), ("--val", recipe.data.val)):
        for place in places:
            if not place.is_dir():
                raise MissingPathError(
                    f"{place}: the photos of this run are not there any more; say where they are: "
                    f"--resume {shlex.quote(str(folder))} {flag} FOLDER"
                )
    with locked(folder):
        if not checkpoint.exists(folder / CHECKPOINTS_IN_RUN):
            say(f"{folder}: was stopped before its first checkpoint, and starts again")
            return _start(folder, recipe)
        state = checkpoint.load_newest(folder / CHECKPOINTS_IN_RUN)
        check_circumstances(folder, recipe, state, torch.device(device_type(recipe.device)))
        generator = build_generator(recipe.model.name, recipe.model.options)
        return _run(folder, recipe, generator, state)


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG_IN_RUN).is_file()


def _going_on(recipe: Recipe, folder: Path) -> str:
    if not _is_run(folder):
        return "start again"
    return f"go on with: pix2color {recipe.task} --resume {shlex.quote(str(folder))}"


def _precision(recipe: Recipe, generator: Generator) -> str:
    """Return the precision of the run, measured where that is for the CPU to say.

    Processes that train together might measure differently, and go by what the hardware can.
    """
    if recipe.precision != "auto" or world_size() > 1 or device_type(recipe.device) != "cpu":
        return recipe.precision
    return faster_precision(generator, recipe.data.crop)


def _run(
    folder: Path,
    recipe: AnyRecipe,
    generator: Generator,
    state: dict[str, Any] | None,
) -> Path:
    with reading_processes(lambda: FEWER + _going_on(recipe, folder)):
        return _train(folder, recipe, generator, state)


def _train(
    folder: Path,
    recipe: AnyRecipe,
    generator: Generator,
    state: dict[str, Any] | None,
) -> Path:
    photos, val_photos = select_photos(recipe)
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
    budget = resolve_budget(recipe, order)
    notes: list[str] = []
    if state is None:  # a run that goes on has its warm-ups as they were
        recipe, notes = shorten_warmups(recipe, budget.steps)
    engine = Engine(build_task(recipe, generator), accelerator, budget, recipe)
    if recipe.schedule.name == "plateau" and not val_photos:
        raise UsageError("schedule plateau follows the validation: give --val or --val-fraction")
    if state:
        if state["processes"] != order.processes:
            raise UsageError(
                f"{folder}: was trained by {state['processes']} processes, which decides its "
                "batches; resume it with as many"
            )
        try:
            engine.load_state_dict(state["engine"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"{folder}: its checkpoint does not fit its {CONFIG_IN_RUN}; put back what was "
                "changed there"
            ) from error
        if engine.spent_share() >= 1 and is_finished(folder):
            say(f"{folder}: finished already, at step {engine.step_number}")
            return folder
    batches = training_batches(photos, recipe, order, engine.device, hints=generator.takes_hints)
    first = next(batches)
    engine.try_out(first)
    endless = itertools.chain([first], batches)
    with StopPolicy(
        engine, str(folder), every=recipe.log_every, max_skipped=recipe.max_skipped
    ) as stop:
        if accelerator.is_main_process:
            recorder = Recorder(folder, recipe, engine, order, stop)
            checkpointer = Checkpointer(recipe, engine, order, photos, recorder)
            if state:
                checkpointer.restore(state)
            for note in notes:
                say(note)
            with locked(folder):
                _record(checkpointer, endless, photos, val_photos)
        else:
            engine.fit(endless, lambda batches, curves: None, stop.agreed)
            _raise_if_interrupted(stop, recipe, folder)
    return folder


def _record(
    checkpointer: Checkpointer,
    batches: Iterator[Batch],
    photos: list[Photo],
    val_photos: list[Photo],
) -> None:
    """Train, and keep curves, checkpoints and model in the run's folder."""
    recipe, engine, recorder = checkpointer.recipe, checkpointer.engine, checkpointer.recorder
    squares, _ = validation_squares(val_photos, recipe)
    checkpointer.write_recipe()
    supervisor = Supervisor(
        engine, recorder, None if squares is None else Batch(squares), recipe.validation
    )
    supervisor.save_with(checkpointer, recipe.checkpoint, recipe.selection)
    say(_introduction(checkpointer, 0 if squares is None else len(squares)))
    with recorder.opened(recipe.task):
        engine.fit(batches, supervisor.after_step, recorder.stop.agreed)
        if recorder.stop.interrupted:
            recorder.log()
            checkpointer.save()
            _raise_if_interrupted(recorder.stop, recipe, recorder.folder)
        if engine.task.matches_saturation:
            with recorder.during("matching the saturation"):
                training_squares, _ = validation_squares(photos, recipe)
                gain = match_saturation(engine, training_squares, recipe.resolved_render_size)
            supervisor.changed(f"ab is multiplied by {gain:.3f}, for the truth's mean chroma")
        recorder.log()
        supervisor.validate()
        checkpointer.save()
        if recorder.history:
            checkpointer.select()
        recorder.finish()
    recorder.conclude()


def _introduction(checkpointer: Checkpointer, shown: int) -> str:
    """Return in one line what is trained on and with."""
    engine = checkpointer.engine
    half = engine.accelerator.mixed_precision == "bf16"
    return (
        f"{checkpointer.folder}: {checkpointer.photos} photos, {shown} for validation, "
        f"{checkpointer.order.pictures_per_step} a step, {engine.device.type} in "
        f"{'bf16' if half else 'float32'}, from step {engine.step_number}"
    )


def _raise_if_interrupted(stop: StopPolicy, recipe: Recipe, folder: Path) -> None:
    if stop.interrupted:
        raise Stopped(
            f"{stop.signal_name}: stopped at step {stop.engine.step_number}, all is saved; "
            f"{_going_on(recipe, folder)}",
            stop.exit_code,
        )
