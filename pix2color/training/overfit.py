"""The check that a network can learn colour at all: a few photos, learnt by heart."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2color.config.load import load_recipe
from pix2color.config.schema import AnyRecipe
from pix2color.errors import DataError
from pix2color.training.run_folder import read_run

LEAST_GAIN = 6.0
"""dB of PSNR above the gray pictures that learning by heart must bring: half of their error …"""
LEAST_COLORFULNESS = 0.8
"""… and the share of the photos' colourfulness."""

# What is seen in training is what is validated, and the averaged weights follow quickly.
_SETTINGS = (
    "data.min_scale=1.0",
    "data.flip=false",
    "schedule.warmup_steps=20",
    "ema=0.98",
    "validation.on_training_photos=true",
)
_STEPS = 300


def overfit_recipe(
    config: Path | None, settings: tuple[str, ...], flags: dict[str, Any]
) -> AnyRecipe:
    """Return the recipe of stage one, changed for learning by heart; explicit settings win.

    Raises:
        MissingPathError, ConfigError: see ``load_recipe``.
    """
    name = f"overfit-{time.strftime('%Y%m%d-%H%M%S')}"
    given = (*flags, *settings)
    budget = {} if any(key.startswith("budget") for key in given) else {"budget.max_steps": _STEPS}
    return load_recipe(
        "pretrain", config, (*_SETTINGS, *settings), {"name": name, **budget, **flags}
    )


@dataclass(frozen=True)
class Verdict:
    """The verdict on a run that was trained and validated on the same few photos.

    Attributes:
        run: the run's folder.
        psnr, psnr_gray: PSNR of the predicted colours and of the gray pictures, in dB.
        colorfulness_ratio: 1 is as colourful as the photos.
    """

    run: Path
    psnr: float
    psnr_gray: float
    colorfulness_ratio: float

    @property
    def learnt(self) -> bool:
        """Whether it has learnt: by both, as gray has a high PSNR and noise has colour."""
        gain = self.psnr - self.psnr_gray
        return gain >= LEAST_GAIN and self.colorfulness_ratio >= LEAST_COLORFULNESS

    def summary(self) -> str:
        """Return the verdict in words, with advice if it has not learnt."""
        figures = (
            f"PSNR {self.psnr:.2f} dB, {self.psnr - self.psnr_gray:+.2f} against gray "
            f"(needed: +{LEAST_GAIN:g}); colourfulness ratio {self.colorfulness_ratio:.2f} "
            f"(needed: {LEAST_COLORFULNESS:g})"
        )
        if self.learnt:
            return f"learnt by heart: {figures}"
        return (
            f"not learnt by heart: {figures}\n"
            "Give it longer (--max-steps 1000), the learning rate of `pix2color lr-find`, or\n"
            "fewer --images. If its pictures in samples/ stay gray, loss or network are at fault."
        )


def verdict(run: Path) -> Verdict:
    """Return the verdict on a finished run.

    Raises:
        DataError: it could not be validated.
    """
    scores = read_run(run).scores
    if not scores:
        raise DataError(f"{run}: none of its photos has enough colour to tell; choose others")
    return Verdict(run, scores["psnr"], scores["psnr_gray"], scores["colorfulness_ratio"])
