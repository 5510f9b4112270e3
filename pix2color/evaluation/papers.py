"""The measures of the papers, as their code computes them: PSNR, CF, ΔCF and FID of 8-bit RGB.

They are those of DDColor (Kang et al. 2023, arXiv:2212.11613) and CT2 (Weng et al. 2022,
doi:10.1007/978-3-031-20071-7_1). ``docs/metrics.md`` says how they differ from ours.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color import metrics
from pix2color.errors import MissingExtraError, ModelError
from pix2color.evaluation.perceptual import LEAST_PICTURES, is_here
from pix2color.evaluation.scores import Measured, Score, bootstrapped, of_means
from pix2color.extras import require
from pix2color.models.safe_load import load_state_dict
from pix2color.progress import say

# isort: split
from torchvision.models import Inception3

INCEPTION = "inception_v3_google-1a9a5a14.pth"
"""The weights that their code names, as torchvision called them then."""
POINTS_OF_DIFFERENCE = (
    "every photo counts, colourful or not (ours: those with colour)",
    "pictures are judged as they are, in 8 bits (ours: their colours on the photo's own L*)",
    "CF is of opponent axes without their signs (ours: with them, as published in 2003)",
    "ΔCF is the distance of the mean CF from the truths' (ours: their ratio, and the mean distance "
    "of the single pictures)",
    "FID is of all photos, by torchvision's Inception v3, whose input is not as it expects "
    "(ours: of 400 at most, by the network of 2015)",
)
"""What a reader has to know who holds such figures against those of our protocol."""
PUBLISHED_PHOTOS = 5000
_FEATURES, _INCEPTION_SIDE = 2048, 299
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def colorfulness_of_papers(rgb: Tensor) -> Tensor:
    """Return the colourfulness that papers report, (N,), of RGB uint8 (N, 3, H, W).

    The opponent axes lose their signs, unlike in Hasler & Süsstrunk 2003, so that opposite colours
    are no contrast.
    """
    r, g, b = rgb.double().flatten(2).unbind(1)
    axes = torch.stack([(r - g).abs(), ((r + g) / 2 - b).abs()])
    return axes.std(2, correction=0).norm(dim=0) + 0.3 * axes.mean(2).norm(dim=0)


class InceptionOfPapers(nn.Module):
    """The network of their FID: uint8 pictures (N, 3, H, W) to features (N, 2048).

    Torchvision's Inception v3, given pictures in [0, 1] as if they were normalized for ImageNet;
    that is a slip, which all of them share.

    Args:
        weights: path of its state dict.

    Raises:
        ModelError: it is none.
    """

    num_features = _FEATURES

    def __init__(self, weights: Path) -> None:
        super().__init__()
        with torch.device("meta"):
            self.network = Inception3(init_weights=False)
        try:
            self.network.load_state_dict(load_state_dict(weights), assign=True)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{weights}: holds no Inception v3 of torchvision") from error
        self.network.fc = nn.Identity()
        self.eval()

    @torch.inference_mode()
    def forward(self, pixels: Tensor) -> Tensor:
        size = (_INCEPTION_SIDE, _INCEPTION_SIDE)
        x = F.interpolate(pixels.float() / 255, size, mode="bilinear", align_corners=False)
        mean, deviation = (
            torch.tensor(v, device=x.device).view(3, 1, 1) for v in (_MEAN, _DEVIATION)
        )
        found: Tensor = self.network(x * (deviation / 0.5) + (mean - 0.5) / 0.5)
        return found


def inception_if_here() -> InceptionOfPapers | None:
    """Return the network of the papers' FID; None without its weights or torchmetrics, told."""
    try:
        require("torchmetrics.image", "FID")
    except MissingExtraError as error:
        say(f"FID left out: {error}")
        return None
    path = is_here(INCEPTION, "FID")
    return None if path is None else InceptionOfPapers(path)


class PapersRow(Measured):
    """Collects the papers' measures of one system, batch by batch.

    Args:
        features: the network of FID; None: no FID.
    """

    def __init__(self, features: InceptionOfPapers | None) -> None:
        super().__init__()
        self._features = features
        self._distance: Any = None
        if features is not None:
            from torchmetrics.image.fid import FrechetInceptionDistance

            with warnings.catch_warnings(action="ignore"):  # of memory: it keeps sums alone
                self._distance = FrechetInceptionDistance(_Given(features.num_features))

    def add(
        self, pictures: Tensor, truth: Tensor, kept: list[int], seen: Tensor | None = None
    ) -> None:
        """Measure a batch.

        Args:
            pictures, truth: uint8 (N, 3, 256, 256).
            kept: which of the pictures are held in memory for ``outputs``.
            seen: features of the true ones, if there is FID.
        """
        scores = {
            "psnr": metrics.psnr(pictures / 255, truth / 255),
            "cf": colorfulness_of_papers(pictures),
            "true_cf": colorfulness_of_papers(truth),
        }
        self._scores.append({name: value.cpu() for name, value in scores.items()})
        self._outputs.append(pictures[kept].cpu())
        if self._features is not None and len(pictures):
            self._distance.update(seen, real=True)
            self._distance.update(self._features(pictures), real=False)

    def scores(self) -> dict[str, Score]:
        """Return PSNR, CF and the truths', ΔCF, and FID if its network is there."""
        values = {name: v.double().numpy() for name, v in self.pictures().items()}
        scores = {name: bootstrapped(values[name]) for name in ("psnr", "cf", "true_cf")}
        scores["delta_cf"] = of_means(_distance, values["cf"], values["true_cf"])
        if self._features is not None:
            enough = len(values["cf"]) >= LEAST_PICTURES
            scores["fid"] = Score(float(self._distance.compute()) if enough else math.nan)
        return scores


def _distance(mean: np.ndarray, true_mean: np.ndarray) -> np.ndarray:
    return np.abs(mean - true_mean)


class _Given(nn.Module):
    """Returns features, which were computed before."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features: Tensor) -> Tensor:
        return features
