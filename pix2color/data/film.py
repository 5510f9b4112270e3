"""Old photographs made of new ones: how film saw, aged and was scanned, for batches on any device.

A network that has only seen the L of colour photos takes grain for texture and a faded print for
mist. What is changed here is what the network sees; the colours it is to find stay the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2color.color.lab import LUMINANCE, lightness_on_film
from pix2color.config.schema import FilmConfig

_CHANCE = 0.5  # of each effect, in a picture that is changed
_MOST_BLUR = 1.5  # σ in pixels
_BLUR_RADIUS = 4
_MOST_VIGNETTE = 0.5  # darkening as far from its centre as half of the picture's diagonal
_MOST_GAMMA = 0.7  # the exponent is 2 to the power of ± this
_MOST_CONTRAST = 0.4
_MOST_GRAIN = 0.06  # standard deviation, of L in [0, 1]
_MOST_LIFT, _MOST_DULL = 0.3, 0.25  # of blacks and of whites, when faded
_JPEG_QUALITY = (30, 90)
_JPEG_MIDDLE = 128 / 255
# Luminance, of Annex K of the JPEG standard (ITU-T T.81).
_JPEG_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def simulate_film(pixels: Tensor, film: FilmConfig) -> Tensor:
    """What a network is shown of colour pictures: L as worn black-and-white photos have it.

    ``film.share`` of the pictures are changed, each by about half of the effects, each effect by a
    random amount up to its strength. Random numbers are torch's own.

    Args:
        pixels: RGB (N, 3, H, W), uint8 or floating point in [0, 1].
        film: the strengths.

    Returns:
        L (N, 1, H, W), float32 in [-1, 1].
    """
    count = len(pixels)
    changed = torch.rand(count) < film.share
    return _developed(pixels, film, changed & (torch.rand(len(EFFECTS), count) < _CHANCE))


def apply_effects(pixels: Tensor, effects: tuple[str, ...]) -> Tensor:
    """L (N, 1, H, W) in [-1, 1], float32: every picture changed by all of ``effects``, at random
    amounts up to the full strength."""
    strengths = {name: float(name in effects) for name in EFFECTS}
    touched = torch.ones(len(EFFECTS), len(pixels), dtype=torch.bool)
    return _developed(pixels, FilmConfig(share=1.0, **strengths), touched)


def _developed(pixels: Tensor, film: FilmConfig, touched: Tensor) -> Tensor:
    """``touched`` (effects, N) says which effects a picture has."""
    amounts = {
        name: (getattr(film, name) * touched[i] * torch.rand(len(pixels))).to(pixels.device)
        for i, name in enumerate(EFFECTS)
    }
    light = mix_channels(pixels, amounts["mix"])
    for name, effect in AGEING.items():
        if getattr(film, name):
            light = effect(light, amounts[name].view(-1, 1, 1, 1)).clamp(0, 1)
    return light * 2 - 1


def mix_channels(pixels: Tensor, amount: Tensor) -> Tensor:
    """L (N, 1, H, W) in [0, 1] as films of other sensitivity to red, green and blue have it.

    Args:
        pixels: as for ``simulate_film``.
        amount: (N,), 0 for that of L itself to 1 for any other.
    """
    own = torch.tensor(LUMINANCE, device=pixels.device)
    other = torch.rand(len(pixels), 3).clamp(min=1e-6).log()  # a flat Dirichlet distribution
    other = (other / other.sum(1, keepdim=True)).to(pixels.device)
    return (lightness_on_film(pixels, torch.lerp(own, other, amount[:, None])) + 1) / 2


def _blurred(light: Tensor, amount: Tensor) -> Tensor:
    """By a Gaussian, one width a picture."""
    places = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=light.device)
    sigma = (_MOST_BLUR * amount).clamp(min=0.1)  # which is none
    kernel = torch.exp(-places.square() / (2 * sigma.square()))
    kernel = kernel / kernel.sum(3, keepdim=True)
    radius = _BLUR_RADIUS
    padded = F.pad(light, (radius, radius, radius, radius), mode="replicate").transpose(0, 1)
    across = F.conv2d(padded, kernel, groups=len(light))
    return F.conv2d(across, kernel.transpose(2, 3), groups=len(light)).transpose(0, 1)


def _vignetted(light: Tensor, amount: Tensor) -> Tensor:
    """Darker towards the edges of a photo that the picture is a part of."""
    middle = torch.rand(2, len(light), 1, 1, 1).to(light.device) * 2 - 1
    down = torch.linspace(-1, 1, light.shape[2], device=light.device).view(1, 1, -1, 1)
    across = torch.linspace(-1, 1, light.shape[3], device=light.device)
    distance = ((down - middle[0]).square() + (across - middle[1]).square()) / 2
    return light * (1 - _MOST_VIGNETTE * amount * distance).clamp(min=0)


def _toned(light: Tensor, amount: Tensor) -> Tensor:
    """Another gamma, and another contrast."""
    gamma, contrast = (torch.rand(2, len(light), 1, 1, 1) * 2 - 1).to(light.device)
    curved = light.clamp(min=1e-4) ** torch.exp2(_MOST_GAMMA * amount * gamma)
    return 0.5 + (curved - 0.5) * (1 + _MOST_CONTRAST * amount * contrast)


def _grained(light: Tensor, amount: Tensor) -> Tensor:
    """Noise of two sizes of grain, strongest in middle tones."""
    fine = torch.randn_like(light)
    coarse = torch.randn_like(light[..., ::2, ::2])
    coarse = F.interpolate(coarse, light.shape[2:], mode="bilinear", align_corners=False)
    strength = 0.3 + 2.8 * light * (1 - light)
    return light + _MOST_GRAIN * amount * strength * (fine + coarse) / math.sqrt(2)


def _faded(light: Tensor, amount: Tensor) -> Tensor:
    """Blacks lifted and whites dulled."""
    lift, dull = torch.rand(2, len(light), 1, 1, 1).to(light.device)
    black, white = _MOST_LIFT * amount * lift, 1 - _MOST_DULL * amount * dull
    return black + (white - black) * light


def _compressed(light: Tensor, amount: Tensor) -> Tensor:
    """As a JPEG file keeps it: 8 x 8 blocks, their cosine coefficients rounded."""
    n, _, height, width = light.shape
    padded = F.pad(light, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = padded.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    place = torch.arange(8, device=light.device)
    cosines = torch.cos((2 * place + 1) * place[:, None] * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    low, high = _JPEG_QUALITY
    quality = (high - (high - low) * amount).view(n, 1, 1, 1, 1, 1)
    percent = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = torch.tensor(_JPEG_STEPS, device=light.device)
    steps = (percent * table).round().clamp(1, 255) / 255
    coefficients = cosines @ (blocks - _JPEG_MIDDLE) @ cosines.T
    rounded = (coefficients / steps).round() * steps
    back = (cosines.T @ rounded @ cosines + _JPEG_MIDDLE).transpose(3, 4).flatten(4).flatten(2, 3)
    return torch.where(amount > 0, back[..., :height, :width], light)


AGEING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "blur": _blurred,
    "vignette": _vignetted,
    "tone": _toned,
    "grain": _grained,
    "fade": _faded,
    "jpeg": _compressed,
}
"""What befalls a photo once it is taken, in that order: from L in [0, 1] (N, 1, H, W) and the
amounts (N, 1, 1, 1) in [0, 1] to L."""

EFFECTS = ("mix", *AGEING)
"""All, by their names in ``FilmConfig``."""
