"""The costs of a trained network, and the curves of its training."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from pix2color.config.load import load_recipe
from pix2color.models.base import Generator
from pix2color.models.model_file import load_model
from pix2color.training.run_folder import CONFIG_IN_RUN, METRICS_IN_RUN

FLOPS_SIDE = 256
_SPEED = "speed/pictures_per_second"
_LOSSES, _ADVERSARIAL = "generator/", "generator/adversarial"
_NO_LOSSES = ("gradient_norm", "learning_rate")

Curve = list[tuple[float, float]]


@dataclass
class Costs:
    """The costs and curves of one training run.

    Attributes:
        parameters: of the generator.
        gflops: of one picture of 256 × 256, an addition and a multiplication counting as two.
        pictures_per_second: while training, without validation.
        minutes: of training, without validation.
        steps: of the optimizer.
        curves: by name, (minutes, value).
    """

    parameters: int
    gflops: float
    pictures_per_second: float
    minutes: float
    steps: int
    curves: dict[str, Curve] = field(default_factory=dict, repr=False)


def read_costs(run: Path) -> Costs:
    """Read from the run's model and ``metrics.jsonl``.

    Raises:
        MissingPathError, ModelError, ConfigError: it is no run, or damaged.
    """
    generator, _ = load_model(run)
    recipe = load_recipe(None, run / CONFIG_IN_RUN)
    batch = recipe.data.batch_size * recipe.accumulate
    step, seconds = 0, 0.0
    curves: dict[str, Curve] = {}
    for point in _points(run / METRICS_IN_RUN):
        if point.get(_SPEED):  # none right after a resume
            seconds += (point["step"] - step) * batch / point[_SPEED]
            step = point["step"]
        for name, value in point.items():
            if _is_drawn(name) and math.isfinite(value):
                curves.setdefault(name, []).append((seconds / 60, value))
    return Costs(
        parameters=sum(p.numel() for p in generator.parameters()),
        gflops=gflops(generator),
        pictures_per_second=step * batch / seconds if seconds else math.nan,
        minutes=seconds / 60,
        steps=step,
        curves=curves,
    )


def gflops(generator: Generator, side: int = FLOPS_SIDE) -> float:
    """Billions of floating-point operations for one picture, as torch counts them."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator(torch.zeros(1, 1, side, side))
    return counter.get_total_flops() / 1e9


def averaged(curve: Curve, points: int = 30) -> Curve:
    """Means of so many stretches of a curve, so that a line can be seen in the noise."""
    size = max(1, math.ceil(len(curve) / points))
    groups = [curve[i : i + size] for i in range(0, len(curve), size)]
    return [(group[-1][0], statistics.fmean(value for _, value in group)) for group in groups]


def relative_losses(curves: dict[str, Curve]) -> Curve:
    """Return the reconstruction losses as shares of their start, averaged if there are several.

    So losses of different kinds can be seen together.
    """
    losses = [
        averaged(curve)
        for name, curve in curves.items()
        if name.startswith(_LOSSES) and name != _ADVERSARIAL
    ]
    return [
        (
            points[0][0],
            statistics.fmean(p[1] / l[0][1] for p, l in zip(points, losses, strict=True)),
        )
        for points in zip(*losses, strict=True)
    ]


def _is_drawn(name: str) -> bool:
    return name.startswith((_LOSSES, "val/")) and not name.endswith(_NO_LOSSES)


def _points(metrics: Path) -> Iterator[dict[str, Any]]:
    for line in metrics.read_text(encoding="utf-8").splitlines() if metrics.is_file() else ():
        yield json.loads(line)
