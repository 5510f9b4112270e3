"""The saving of a run: its checkpoints, and the model that it exports."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from torch import nn

from pix2color.config.load import dump_recipe
from pix2color.config.schema import Recipe
from pix2color.data.batches import EpochOrder
from pix2color.data.sources import Photo
from pix2color.files import replacing
from pix2color.models.base import Generator
from pix2color.models.header import NAME_IN_RUN, ModelInfo
from pix2color.models.model_file import save_model
from pix2color.progress import say
from pix2color.training import checkpoint, selection
from pix2color.training.continuation import circumstances
from pix2color.training.engine import Engine
from pix2color.training.recorder import Recorder
from pix2color.training.run_folder import CHECKPOINTS_IN_RUN, CONFIG_IN_RUN


class Checkpointer:
    """Writer of everything that a run needs to go on, and of its model at each saved step.

    Args:
        recipe: complete, paths absolute.
        engine: that trains.
        order: of the photos.
        photos: that are trained on.
        recorder: whose folder and state are saved.
    """

    def __init__(
        self,
        recipe: Recipe,
        engine: Engine,
        order: EpochOrder,
        photos: list[Photo],
        recorder: Recorder,
    ) -> None:
        self.recipe, self.engine, self.order = recipe, engine, order
        self.recorder, self.folder = recorder, recorder.folder
        self.photos = len({photo.path for photo in photos})
        self.fingerprint = _fingerprint(photos)
        self._saved_at = -1

    def write_recipe(self) -> None:
        """Write the complete recipe into the run's folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / CONFIG_IN_RUN) as temporary:
            temporary.write_text(dump_recipe(self.recipe), encoding="utf-8")

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; the engine has its part already."""
        self.recorder.load_state_dict(state)
        if state["photos"] != self.fingerprint:
            say("warning: the list of training photos has changed since; going on with it")

    def outdate(self) -> None:
        """Let the next ``save`` write, even at a step that is saved already."""
        self._saved_at = -1

    def save(self) -> None:
        """Write model, checkpoint and the list of photos left out, once a step at most.

        Raises:
            StorageError: something cannot be written; older checkpoints are as they were.
        """
        engine, history = self.engine, self.recorder.history
        if self._saved_at == engine.step_number:
            return
        with self.recorder.during("writing a checkpoint"):
            self._export(engine.exported, engine.step_number, self.recorder.scores)
            self.recorder.write_left_out()
            state = {
                "step": engine.step_number,
                "engine": engine.state_dict(),
                **self.recorder.state_dict(),
                "photos": self.fingerprint,
                "processes": self.order.processes,
                "circumstances": circumstances(self.recipe),
            }
            checkpoint.save(
                self.folder / CHECKPOINTS_IN_RUN,
                engine.step_number,
                state,
                newest=self.recipe.checkpoint.keep,
                also=[selection.best(history, self.recipe.selection)] if history else [],
            )
        self._saved_at = engine.step_number

    def select(self) -> None:
        """Say which validation was the best, and export that one if the recipe wants it."""
        config, history = self.recipe.selection, self.recorder.history
        step = selection.best(history, config)
        choice = selection.describe_choice(history, config)
        if config.export and step != self.engine.step_number:
            state = checkpoint.load(self.folder / CHECKPOINTS_IN_RUN, step)
            chosen = next(v for v in history if v["step"] == step)
            scores = {name: value for name, value in chosen.items() if name != "step"}
            self._export(self.engine.exported_from(state["engine"]), step, scores)
        elif not config.export:
            choice = choice.replace("selected", "best validation:", 1)
        self.recorder.message("selection", choice)

    def _export(self, network: nn.Module, step: int, scores: dict[str, float]) -> None:
        recipe = self.recipe
        assert isinstance(network, Generator)
        info = ModelInfo(
            architecture=recipe.model.name,
            options=recipe.model.options,
            recipe=recipe.model_dump(mode="json"),
            data={"photos": self.photos, "fingerprint": self.fingerprint},
            render_size=recipe.resolved_render_size,
            step=step,
            scores=scores,
        )
        save_model(self.folder / NAME_IN_RUN, network, info)


def _fingerprint(photos: list[Photo]) -> str:
    """Return a hash of the list of photos, which the order of the epochs depends on."""
    return hashlib.sha256(b"\n".join(os.fsencode(photo.path) for photo in photos)).hexdigest()[:16]
