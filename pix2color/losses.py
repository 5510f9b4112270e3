"""Losses by name; all in float32 and averaged over everything.

A new adversarial loss is one function here and one line in ``ADVERSARIAL``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of ``ab``, scalar."""
    return F.l1_loss(prediction.float(), truth.float())


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
