"""Measures of a coloured picture against the true one.

Each function takes a batch and returns one value a picture, except those that pool all
pixels, which say so. Pictures are RGB (N, 3, H, W) in [0, 1]; Lab is CIE Lab (N, 3, H, W)
in its own units. Everything is differentiable where that means anything.
``docs/metrics.md`` has the formulas.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2color.color.lab import AB_SCALE, rgb_to_lab

AUC_THRESHOLDS = 150
_HISTOGRAM_BINS = 22
_RARITY_BIN = 10
_RARITY_SIGMA = 5.0
_LARGEST_CHROMA = 182  # |(a*, b*)| within ±128, rounded up


def psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,), peak 1. Infinite for equal pictures."""
    _check_same(prediction, truth)
    return -10 * torch.log10((prediction - truth).square().mean(dim=(1, 2, 3)))


def ssim(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity, (N,), up to 1. Sides of at least 11 pixels.

    Wang et al. 2004 (doi:10.1109/TIP.2003.819861): Gaussian window 11, σ 1.5, population
    covariance, mean over the channels; equals scikit-image's ``structural_similarity`` with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``.
    """
    _check_same(prediction, truth)
    channels, sides = prediction.shape[1], prediction.shape[2:]
    if min(sides) < 11:
        raise ValueError(f"ssim needs sides of at least 11 pixels. Got {tuple(sides)}")
    offsets = torch.arange(-5, 6, dtype=prediction.dtype, device=prediction.device)
    window = torch.exp(-offsets.square() / (2 * 1.5**2))
    window = (window / window.sum()).expand(channels, 1, 11)

    def blurred(x: Tensor) -> Tensor:
        x = F.conv2d(x, window[..., None], groups=channels)
        return F.conv2d(x, window[..., None, :], groups=channels)

    mean_p, mean_t = blurred(prediction), blurred(truth)
    var_p = blurred(prediction.square()) - mean_p.square()
    var_t = blurred(truth.square()) - mean_t.square()
    covariance = blurred(prediction * truth) - mean_p * mean_t
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_p * mean_t + c1) / (mean_p.square() + mean_t.square() + c1)
    structure = (2 * covariance + c2) / (var_p + var_t + c2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def ab_psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """PSNR in dB, (N,), of the Lab pictures' a* and b* alone, peak 220."""
    _check_same(prediction, truth)
    error = (prediction[:, 1:] - truth[:, 1:]) / (2 * AB_SCALE)
    return -10 * torch.log10(error.square().mean(dim=(1, 2, 3)))


def delta_l(prediction: Tensor, truth: Tensor) -> Tensor:
    """Mean |ΔL*| of two Lab pictures, (N,)."""
    _check_same(prediction, truth)
    return (prediction[:, 0] - truth[:, 0]).abs().mean(dim=(1, 2))


def ciede2000(prediction: Tensor, truth: Tensor) -> Tensor:
    """CIEDE2000 colour difference of each pixel of two Lab pictures, (N, H, W).

    Sharma et al. 2005 (doi:10.1002/col.20070), all weights 1. Equal colours give zero with
    a zero gradient instead of an undefined one.
    """
    _check_same(prediction, truth)
    (L1, a1, b1), (L2, a2, b2) = prediction.unbind(1), truth.unbind(1)
    mean_c7 = _seventh((_length(a1, b1) + _length(a2, b2)) / 2)
    g = 1.5 - 0.5 * _root(mean_c7 / (mean_c7 + 25**7))
    a1, a2 = a1 * g, a2 * g
    c1, c2 = _length(a1, b1), _length(a2, b2)
    h1, h2 = _hue(a1, b1), _hue(a2, b2)

    gray = (c1 * c2) == 0
    dh = torch.remainder(h2 - h1 + math.pi, 2 * math.pi) - math.pi
    dh = torch.where(gray, torch.zeros_like(dh), dh)
    apart = (h1 - h2).abs() > math.pi
    mean_h = (h1 + h2) / 2 + torch.where(apart & ~gray, math.pi, 0.0)
    mean_h = torch.where(gray, h1 + h2, mean_h)

    dL, dC = L2 - L1, c2 - c1
    dH = 2 * _root(c1 * c2) * torch.sin(dh / 2)
    mean_L, mean_c = (L1 + L2) / 2, (c1 + c2) / 2

    t = (
        1
        - 0.17 * torch.cos(mean_h - math.radians(30))
        + 0.24 * torch.cos(2 * mean_h)
        + 0.32 * torch.cos(3 * mean_h + math.radians(6))
        - 0.20 * torch.cos(4 * mean_h - math.radians(63))
    )
    off_50 = (mean_L - 50).square()
    s_l = 1 + 0.015 * off_50 / torch.sqrt(20 + off_50)
    s_c = 1 + 0.045 * mean_c
    s_h = 1 + 0.015 * mean_c * t
    turns = torch.remainder(mean_h, 2 * math.pi) * (180 / math.pi)
    rotation = math.radians(60) * torch.exp(-((turns - 275) / 25).square())
    mean_c7 = _seventh(mean_c)
    r_t = -2 * _root(mean_c7 / (mean_c7 + 25**7)) * torch.sin(rotation)
    l, c, h = dL / s_l, dC / s_c, dH / s_h
    return _root(l * l + c * c + h * h + r_t * c * h)


def colorfulness(rgb: Tensor) -> Tensor:
    """Colourfulness, (N,), from 0 (gray) to about 150, on RGB scaled to 0–255.

    Hasler & Süsstrunk 2003 (doi:10.1117/12.477378) with signed opponent axes.
    """
    r, g, b = (rgb.float() * 255).flatten(2).unbind(1)
    red_green, yellow_blue = r - g, (r + g) / 2 - b
    spread = red_green.var(1, correction=0) + yellow_blue.var(1, correction=0)
    offset = red_green.mean(1).square() + yellow_blue.mean(1).square()
    return spread.sqrt() + 0.3 * offset.sqrt()


def picture_scores(prediction: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """The measures that are one number a picture, by name, each (N,), from RGB pictures.

    What is added here is in the tables and CSV files too.
    """
    lab, true_lab = rgb_to_lab(prediction), rgb_to_lab(truth)
    colors, true_colors = colorfulness(prediction), colorfulness(truth)
    return {
        "psnr": psnr(prediction, truth),
        "ssim": ssim(prediction, truth),
        "ab_psnr": ab_psnr(lab, true_lab),
        "delta_e": ciede2000(lab, true_lab).mean(dim=(1, 2)),
        "delta_mean_ab": (lab - true_lab)[:, 1:].mean(dim=(2, 3)).norm(dim=1),
        "colorfulness": colors,
        "true_colorfulness": true_colors,
        "delta_colorfulness": (colors - true_colors).abs(),
    }


class PooledScores:
    """Measures of all pixels of a set of pictures together; add batches, then ask.

    Only histograms are kept: the memory does not grow with the number of pictures.
    """

    def __init__(self) -> None:
        bins, chroma = _HISTOGRAM_BINS, _LARGEST_CHROMA * 10
        self._ab = torch.zeros(2, bins * bins, dtype=torch.float64)
        self._chroma = torch.zeros(2, chroma, dtype=torch.float64)
        side = int(2 * AB_SCALE / _RARITY_BIN)
        # Rows: bin of the true colour; columns: ab error in steps of 1, last one open.
        self._errors = torch.zeros(side * side, AUC_THRESHOLDS + 1, dtype=torch.float64)
        self._vivid = torch.zeros(2, dtype=torch.float64)  # pixels, and those washed out

    @classmethod
    def of(cls, parts: Iterable[PooledScores]) -> PooledScores:
        """Return the pooled scores of several sets together; the sets stay as they are."""
        whole = cls()
        for part in parts:
            whole._ab += part._ab
            whole._chroma += part._chroma
            whole._errors += part._errors
            whole._vivid += part._vivid
        return whole

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """Count the pixels of two Lab batches (N, 3, H, W)."""
        _check_same(prediction, truth)
        ab, true_ab = (x[:, 1:].detach().movedim(1, -1).reshape(-1, 2) for x in (prediction, truth))
        chroma, true_chroma = ab.norm(dim=1), true_ab.norm(dim=1)
        for row, (colors, lengths) in enumerate(((ab, chroma), (true_ab, true_chroma))):
            self._ab[row] += _count(_ab_bin(colors, 2 * AB_SCALE / _HISTOGRAM_BINS), self._ab[row])
            self._chroma[row] += _count((lengths * 10).long(), self._chroma[row])
        # An error of e is below t for t = floor(e) + 1 and up.
        error = (ab - true_ab).norm(dim=1).long().clamp(max=AUC_THRESHOLDS)
        rarity = _ab_bin(true_ab, _RARITY_BIN)
        flat = rarity * (AUC_THRESHOLDS + 1) + error
        self._errors += _count(flat, self._errors.view(-1)).view_as(self._errors)
        vivid = true_chroma > 20
        self._vivid += torch.stack([vivid.sum(), (vivid & (chroma < 5)).sum()]).to(self._vivid)

    def ab_js(self) -> float:
        """Jensen–Shannon divergence, base 2, of the ab histograms (22 x 22 bins over ±110)."""
        p, q = self._ab / self._ab.sum(1, keepdim=True)
        middle = (p + q) / 2
        nats = sum(torch.xlogy(x, x / middle.clamp(min=1e-30)).sum().item() for x in (p, q)) / 2
        return nats / math.log(2)

    def chroma_w1(self) -> float:
        """Wasserstein-1 distance of the distributions of C* (steps of 0.1)."""
        p, q = (self._chroma / self._chroma.sum(1, keepdim=True)).cumsum(1)
        return (p - q).abs().sum().item() / 10

    def washout(self) -> float:
        """Share of the pixels with true C* above 20 that were coloured with C* below 5."""
        vivid, washed_out = self._vivid.tolist()
        return washed_out / vivid if vivid else math.nan

    def auc(self, *, rebalanced: bool = False) -> float:
        """Area under the curve "share of pixels with ab error below t", t = 0 … 150.

        Zhang et al. 2016 (arXiv:1603.08511). ``rebalanced`` weighs a pixel by the rarity of
        its true colour, 1 / (½ p̃ + ½ / Q): p̃ is the distribution in bins of 10, smoothed
        with a Gaussian of σ 5, and Q the number of bins that sRGB can reach.
        """
        weights = _bin_weights(self._errors.sum(1)) if rebalanced else 1.0
        counts = (self._errors.T * weights).sum(1)
        below = counts.cumsum(0)[:-1] / counts.sum()
        return below.sum().item() / (AUC_THRESHOLDS + 1)  # t = 0 adds nothing


def rarity_weights(ab: Tensor) -> Tensor:
    """How rare each pixel's colour is among all of the batch, (N, H, W).

    The weights of ``PooledScores.auc(rebalanced=True)``, for ab (N, 2, H, W) in Lab's units.
    """
    bins = _ab_bin(ab.movedim(1, -1).reshape(-1, 2), _RARITY_BIN)
    counts = torch.bincount(bins, minlength=round(2 * AB_SCALE / _RARITY_BIN) ** 2).to(ab)
    return _bin_weights(counts)[bins].view(ab.shape[0], *ab.shape[2:])


def _bin_weights(counts: Tensor) -> Tensor:
    side = math.isqrt(len(counts))
    distances = torch.arange(-3, 4, dtype=counts.dtype, device=counts.device) * _RARITY_BIN
    kernel = torch.exp(-distances.square() / (2 * _RARITY_SIGMA**2))
    kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2
    grid = (counts / counts.sum()).view(1, 1, side, side)
    smooth = F.conv2d(grid, kernel[None, None], padding=3).flatten()
    smooth = smooth / smooth.sum()
    return 1 / (0.5 * smooth + 0.5 / _reachable_bins())


@functools.cache
def _reachable_bins() -> int:
    """Bins of ab that hold a colour of sRGB, counted over the RGB cube's surface and inside."""
    level = torch.linspace(0, 1, 52)
    cube = torch.stack(torch.meshgrid(level, level, level, indexing="ij")).reshape(1, 3, 52, -1)
    ab = rgb_to_lab(cube)[:, 1:].movedim(1, -1).reshape(-1, 2)
    return len(torch.unique(_ab_bin(ab, _RARITY_BIN)))


def _ab_bin(ab: Tensor, width: float) -> Tensor:
    side = round(2 * AB_SCALE / width)
    cell = ((ab + AB_SCALE) / width).long().clamp(0, side - 1)
    return cell[:, 0] * side + cell[:, 1]


def _count(indices: Tensor, like: Tensor) -> Tensor:
    size = like.numel()
    counts = torch.bincount(indices.clamp(max=size - 1), minlength=size)
    return counts.to(like)


def _seventh(x: Tensor) -> Tensor:
    """x to the 7th by multiplication, ten times faster than a power."""
    cubed = x * x * x
    return cubed * cubed * x


def _root(x: Tensor) -> Tensor:
    """Square root whose gradient at zero is zero, not infinite."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1.0).sqrt(), 0.0)


def _length(a: Tensor, b: Tensor) -> Tensor:
    return _root(a * a + b * b)


def _hue(a: Tensor, b: Tensor) -> Tensor:
    """Hue angle in [0, 2π), 0 for gray, with a finite gradient there."""
    gray = (a == 0) & (b == 0)
    angle = torch.atan2(b, torch.where(gray, torch.ones_like(a), a))
    return torch.remainder(angle, 2 * math.pi)


def _check_same(prediction: Tensor, truth: Tensor) -> None:
    if prediction.shape != truth.shape or prediction.ndim != 4:
        raise ValueError(
            "prediction and truth must both have a shape of (N, C, H, W). "
            f"Got {tuple(prediction.shape)} and {tuple(truth.shape)}"
        )
