"""A check of our own PSNR, SSIM and CIEDE2000 against scikit-image's, on evaluated pictures."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
from torch import Tensor

from pix2color import metrics
from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.systems import MODEL
from pix2color.progress import say

PICTURES = 4
TOLERANCES = {"psnr": 1e-3, "ssim": 1e-4, "delta_e": 1e-3}
"""How far ours, in float32, may be from scikit-image's, in float64."""


def self_check(evaluation: Evaluation) -> dict[str, Any]:
    """Compare our measures with scikit-image's on a few of the model's pictures, evenly spread.

    Returns:
        for JSON: the largest absolute difference of each measure, the tolerances, and whether all
        are kept. If not, a warning is printed as well.
    """
    assert evaluation.kept is not None
    outputs, truths = evaluation.kept.outputs[MODEL], evaluation.kept.truths
    chosen = np.linspace(0, len(truths) - 1, min(PICTURES, len(truths))).round().astype(int)
    found = differences(outputs[chosen], truths[chosen])
    wrong = [name for name, most in TOLERANCES.items() if not found[name] <= most]
    if wrong:
        say(f"warning: {', '.join(wrong)} differ from scikit-image's; do not trust these figures")
    return {
        "reference": f"scikit-image {importlib.metadata.version('scikit-image')}",
        "pictures": len(chosen),
        "largest_difference": found,
        "tolerance": TOLERANCES,
        "passed": not wrong,
    }


def differences(outputs: Tensor, truths: Tensor) -> dict[str, float]:
    """Return the largest absolute difference of each measure from scikit-image's.

    Args:
        outputs: uint8 (N, 3, H, W), a model's pictures.
        truths: the true ones, in the same order.
    """
    ours = metrics.picture_scores(outputs / 255, truths / 255)
    largest = dict.fromkeys(TOLERANCES, 0.0)
    for i in range(len(truths)):
        output, truth = (x[i].permute(1, 2, 0).double().numpy() / 255 for x in (outputs, truths))
        for name, theirs in _reference(output, truth).items():
            own = float(ours[name][i])
            if own != theirs:  # of equal pictures PSNR is infinite
                largest[name] = max(largest[name], abs(own - theirs))
    return largest


def _reference(output: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return scikit-image's measures of RGB (H, W, 3) in [0, 1]; see ``docs/metrics.md``."""
    from skimage.color import deltaE_ciede2000, rgb2lab
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    with np.errstate(divide="ignore"):
        psnr = peak_signal_noise_ratio(truth, output, data_range=1)
    ssim = structural_similarity(
        truth,
        output,
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    delta_e = deltaE_ciede2000(rgb2lab(truth), rgb2lab(output)).mean()
    return {"psnr": float(psnr), "ssim": float(ssim), "delta_e": float(delta_e)}
