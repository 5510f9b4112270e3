"""Losses by name; all in float32 and averaged over everything.

A new loss on ab is one function here and one line in ``RECONSTRUCTION``; a new adversarial loss
one function and one line in ``ADVERSARIAL``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2color import metrics
from pix2color.color.lab import AB_SCALE

_DIRECTIONS = 8  # half a turn; the other half has the same distances


def l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of ``ab`` (N, 2, H, W), scalar."""
    return F.l1_loss(prediction.float(), truth.float())


def mse(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error of ``ab`` (N, 2, H, W), scalar."""
    return F.mse_loss(prediction.float(), truth.float())


def smooth_l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Smooth L1 of ``ab`` (N, 2, H, W), scalar (Girshick 2015): squared errors below 0.1."""
    return F.smooth_l1_loss(prediction.float(), truth.float(), beta=0.1)


def ssim(prediction: Tensor, truth: Tensor) -> Tensor:
    """1 - SSIM of ``ab`` (N, 2, H, W) moved to [0, 1], scalar."""
    moved = ((ab.float() + 1) / 2 for ab in (prediction, truth))
    return 1 - metrics.ssim(*moved).mean()


def gradient(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbours of ``ab`` (N, 2, H, W), scalar.

    After the gradient difference loss of Mathieu et al. 2016 (arXiv:1511.05440).
    """
    error = prediction.float() - truth.float()
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def rarity(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of ``ab`` (N, 2, H, W), weighted by how rare the true colour is, scalar.

    The weights are those of Zhang et al. 2016 (arXiv:1603.08511), from the colours of the batch
    itself rather than of a whole data set, and have a mean of 1.
    """
    weights = metrics.rarity_weights(truth.float() * AB_SCALE)
    error = (prediction.float() - truth.float()).abs().mean(dim=1)
    return (weights * error).mean() / weights.mean()


def statistics(prediction: Tensor, truth: Tensor) -> Tensor:
    """Distance between the colours of the whole batch, wherever they are; scalar.

    The sliced Wasserstein-1 distance (Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3) of all
    pixels' ``ab``, of every fourth row and column.
    """
    angles = torch.arange(_DIRECTIONS, device=prediction.device) * (math.pi / _DIRECTIONS)
    directions = torch.stack([angles.cos(), angles.sin()])

    def projected(ab: Tensor) -> Tensor:
        colors = ab.float()[:, :, ::4, ::4].movedim(1, -1).reshape(-1, 2)
        return (colors @ directions).sort(dim=0).values

    with torch.autocast(prediction.device.type, enabled=False):
        return (projected(prediction) - projected(truth)).abs().mean()


RECONSTRUCTION: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "mse": mse,
    "smooth_l1": smooth_l1,
    "ssim": ssim,
    "gradient": gradient,
    "rarity": rarity,
    "statistics": statistics,
}
"""Losses of a predicted ab against the true one; ``feature`` and ``teacher`` need a network."""


def hinge(logits: Tensor, *, real: bool, for_generator: bool = False) -> Tensor:
    """Hinge loss (Lim & Ye 2017, arXiv:1705.02894), scalar."""
    logits = logits.float()
    if for_generator:
        return -logits.mean() if real else logits.mean()
    return F.relu(1 - logits if real else 1 + logits).mean()


def vanilla(logits: Tensor, *, real: bool, for_generator: bool = False) -> Tensor:
    """Cross entropy, non-saturating for the generator (Goodfellow et al. 2014), scalar."""
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def lsgan(logits: Tensor, *, real: bool, for_generator: bool = False) -> Tensor:
    """Least squares (Mao et al. 2017, arXiv:1611.04076), scalar."""
    return (logits.float() - float(real)).square().mean()


class AdversarialLoss(NamedTuple):
    """A loss, and the logit above which the discriminator says "real"."""

    criterion: Callable[..., Tensor]
    decision: float = 0.0


ADVERSARIAL: dict[str, AdversarialLoss] = {
    "hinge": AdversarialLoss(hinge),
    "vanilla": AdversarialLoss(vanilla),
    "lsgan": AdversarialLoss(lsgan, decision=0.5),
}
