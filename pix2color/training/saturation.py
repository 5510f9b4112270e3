"""The saturation match: one gain for all colours, fitted on photos, which every GAN must beat."""

from __future__ import annotations

import torch
from torch import Tensor

from pix2color.color.lab import rgb_to_l_ab
from pix2color.models.base import Generator
from pix2color.models.render import render
from pix2color.training.engine import Engine

_BATCH = 8


@torch.no_grad()
def match_saturation(engine: Engine, pixels: Tensor | None, render_size: int) -> float:
    """Multiply the exported generator's ab so that its mean chroma is that of the true photos.

    Args:
        engine: at the end of a training.
        pixels: uint8 (N, 3, S, S), photos it was trained on; None changes nothing.
        render_size: side at which the generator sees them.

    Returns:
        the gain; 1 if the generator predicts no colour at all.
    """
    chroma = torch.zeros(2, dtype=torch.float64)  # predicted, true
    for batch in () if pixels is None else pixels.split(_BATCH):
        L, ab = rgb_to_l_ab(batch.to(engine.device))
        both = render(engine.predict, L, render_size), ab
        chroma += torch.stack([maps.norm(dim=1).mean(dtype=torch.float64).cpu() for maps in both])
    gain = (chroma[1] / chroma[0]).item() if chroma[0] > 0 else 1.0
    generator = engine.exported
    assert isinstance(generator, Generator)
    generator.scale_ab(gain)
    return gain
