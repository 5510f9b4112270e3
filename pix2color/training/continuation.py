"""What must be as it was for a run that goes on to be the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pix2color.config.schema import Recipe
from pix2color.config.sections import Section
from pix2color.errors import ConfigError
from pix2color.progress import say
from pix2color.training.run_folder import CONFIG_IN_RUN

# Settings that change nothing of what is learnt, and those that may be meant to be changed.
_FREE = ("name", "runs_dir", "log_every", "checkpoint", "data.workers", "data.train", "data.val")
_OPEN = ("budget", "validation", "selection")


def circumstances(recipe: Recipe) -> dict[str, Any]:
    """Return what a checkpoint keeps of the circumstances of its run, as plain values."""
    kept = {key: value for key, value in _flat(recipe).items() if not _is_in(key, _FREE)}
    return {"recipe": kept, "threads": torch.get_num_threads()}


def check_circumstances(
    folder: Path, recipe: Recipe, state: dict[str, Any], device: torch.device
) -> None:
    """Compare the circumstances of a run with those of the checkpoint that it goes on from.

    Other lengths, validations and threads get a warning. Checkpoints of earlier versions do not
    tell, and pass.

    Args:
        folder: of the run.
        recipe: as it is in the folder now.
        state: of the checkpoint.
        device: that trains.

    Raises:
        ConfigError: another setting has been changed that decides what is learnt.
    """
    now, before = circumstances(recipe), state.get("circumstances")
    if before is None:
        return
    for key, there in before["recipe"].items():  # later versions may have more settings
        here = now["recipe"].get(key)
        if here == there:
            continue
        change = f"{folder / CONFIG_IN_RUN}: {key} is {here}, and was {there} at the checkpoint"
        if not _is_in(key, _OPEN):
            raise ConfigError(
                f"{change}; put it back, or start another run from this one with --init {folder}"
            )
        say(f"warning: {change}; going on with {here}")
    if device.type == "cpu" and now["threads"] != before["threads"]:
        say(
            f"warning: this run was trained by {before['threads']} threads and goes on by "
            f"{now['threads']}, so that it ends a little otherwise; OMP_NUM_THREADS sets them"
        )


def _flat(section: Section, prefix: str = "") -> dict[str, Any]:
    """Return the settings in a section and those below it, as plain values by dotted key."""
    flat: dict[str, Any] = {}
    plain = section.model_dump(mode="json")
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{prefix}{name}"
        flat |= _flat(value, f"{key}.") if isinstance(value, Section) else {key: plain[name]}
    return flat


def _is_in(key: str, sections: tuple[str, ...]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)
