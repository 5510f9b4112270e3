"""The contents of folders of training runs, read from names and text alone, without torch."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pix2color.config.yaml_text import MOST_BYTES, read_yaml
from pix2color.errors import DataError, MissingPathError

CONFIG_IN_RUN = "config.yaml"
METRICS_IN_RUN = "metrics.jsonl"
CHECKPOINTS_IN_RUN = "checkpoints"
FINISHED = "finished"
"""Key of the line in ``metrics.jsonl`` that a training ends with."""
ACTIVE, RESUMABLE, LOST = "running or killed", "can be resumed", "no checkpoint"
DAMAGED = "damaged config.yaml"
_QUIET_SECONDS = 300.0  # a training that has written nothing for so long has been stopped
_VALIDATION = "val/"
_CHECKPOINT = re.compile(r"step-(\d{8,})")


@dataclass
class RunSummary:
    """The state of one training run.

    Attributes:
        folder: of the run.
        task: ``pretrain`` or ``train-gan``.
        state: ``finished``; ``running or killed``, if something was written in the last five
            minutes, which does not tell the one from the other; ``can be resumed``, from
            ``checkpoint``; ``no checkpoint``, which starts again when it is resumed; ``damaged
            config.yaml``.
        step: newest one with a point on the curves.
        budget: as in the recipe, such as ``{"max_steps": 600}``.
        checkpoint: step of the newest one, if any.
        scores: of the last validation, such as ``psnr`` and ``psnr_gray``.
        bytes: on disk.
        written: when something was last written, in seconds since 1970.
    """

    folder: Path
    task: str
    state: str
    step: int
    budget: dict[str, float]
    checkpoint: int | None
    bytes: int
    written: float
    scores: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "name": self.folder.name, "folder": str(self.folder)}


def find_runs(folder: Path) -> list[RunSummary]:
    """Return the runs in a folder, or the folder itself if it is one, oldest first.

    Raises:
        MissingPathError: there is no such folder.
        DataError: it holds no run.
    """
    if not folder.is_dir():
        raise MissingPathError(f"{folder}: no such folder; name the one that --runs-dir gave")
    places = [folder, *folder.iterdir()]
    runs = [read_run(place) for place in places if (place / CONFIG_IN_RUN).is_file()]
    if not runs:
        raise DataError(f"{folder}: no run in it; `pix2color pretrain` makes one")
    return sorted(runs, key=lambda run: run.written)


def read_run(folder: Path) -> RunSummary:
    """Return the state of one run."""
    recipe = _recipe(folder / CONFIG_IN_RUN)
    points = _newest_points(folder / METRICS_IN_RUN)
    last = next(points, {"step": 0})
    scored = last if _has_scores(last) else next(filter(_has_scores, points), {})
    steps = checkpoint_steps(folder / CHECKPOINTS_IN_RUN)
    files = list(_files(folder))
    run = RunSummary(
        folder=folder,
        task=recipe["task"],
        state=LOST,
        step=last["step"],
        budget={name: value for name, value in recipe["budget"].items() if value is not None},
        checkpoint=max(steps, default=None),
        bytes=sum(file.st_size for file in files),
        written=max(file.st_mtime for file in files),
        scores={k.removeprefix(_VALIDATION): v for k, v in scored.items() if k != "step"},
    )
    run.state = _state(run, ended=FINISHED in last)
    return run


def checkpoint_steps(checkpoints: Path) -> list[int]:
    """Return the steps that a run's folder of checkpoints has, in order; copies do not count."""
    found = (
        _CHECKPOINT.fullmatch(place.name) for place in checkpoints.glob("step-*") if place.is_dir()
    )
    return sorted(int(name[1]) for name in found if name)


def is_finished(folder: Path) -> bool:
    """Return whether the run's budget is spent and all that it ends with is written."""
    return FINISHED in next(_newest_points(folder / METRICS_IN_RUN), {})


def _files(folder: Path) -> Iterator[os.stat_result]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # a training renames its files
                yield os.lstat(os.path.join(parent, name))


def _state(run: RunSummary, *, ended: bool) -> str:
    if not run.task:
        return DAMAGED
    if ended:
        return FINISHED
    if time.time() - run.written < _QUIET_SECONDS:
        return ACTIVE
    return LOST if run.checkpoint is None else RESUMABLE


def _recipe(config: Path) -> dict[str, Any]:
    """Return task and budget; no task if the file is none of ours."""
    try:
        with config.open("rb") as file:
            recipe = read_yaml(file.read(MOST_BYTES + 1))
        return {"task": str(recipe["task"]), "budget": dict(recipe["budget"])}
    except (ValueError, TypeError, KeyError):
        return {"task": "", "budget": {}}


def _newest_points(metrics: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of the curves, last one first, but for one that is being written."""
    if not metrics.is_file():
        return
    for line in reversed(metrics.read_bytes().splitlines()):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _has_scores(point: dict[str, Any]) -> bool:
    return any(name.startswith(_VALIDATION) for name in point)


def table(runs: list[RunSummary]) -> str:
    """Return a table with a line for each run."""
    lines = [("run", "task", "state", "step", "PSNR (gray)", "ΔE00", "colourful", "MB", "written")]
    for run in runs:
        budget = next((f"{v:g} {k.removeprefix('max_')}" for k, v in run.budget.items()), "")
        step = f"{run.step}/{run.budget['max_steps']}" if "max_steps" in run.budget else ""
        lines.append(
            (
                run.folder.name,
                run.task,
                run.state,
                step or f"{run.step} ({budget})",
                f"{_figure(run, 'psnr', 2)} ({_figure(run, 'psnr_gray', 2)})",
                _figure(run, "delta_e", 2),
                _figure(run, "colorfulness_ratio", 2),
                f"{run.bytes / 1e6:.0f}",
                f"{_age(time.time() - run.written)} ago",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _figure(run: RunSummary, name: str, digits: int) -> str:
    return f"{run.scores[name]:.{digits}f}" if name in run.scores else "–"


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
