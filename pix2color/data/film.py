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
MAX_BLUR = 1.5  # σ in pixels
BLUR_RADIUS = 4
_MOST_VIGNETTE = 0.5  # darkening as far from its centre as half of the picture's diagonal
_MOST_GAMMA = 0.7  # the exponent is 2 to the power of ± this
_MOST_CONTRAST = 0.4
MAX_GRAIN = 0.06  # standard deviation, of L in [0, 1]
_MOST_LIFT, _MOST_DULL = 0.3, 0.25  # of blacks and of whites, when faded
JPEG_QUALITIES = (30, 90)
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
    """Return L as worn black-and-white photos have it, for a network to be shown.

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
    """Return L (N, 1, H, W) in [-1, 1], float32, with all of ``effects`` in every picture.

    Their amounts are random, up to the full strength.
    """
    strengths = {name: float(name in effects) for name in EFFECTS}
    touched = torch.ones(len(EFFECTS), len(pixels), dtype=torch.bool)
    return _developed(pixels, FilmConfig(share=1.0, **strengths), touched)


def _developed(pixels: Tensor, film: FilmConfig, touched: Tensor) -> Tensor:
    """Return L with the effects that ``touched`` (effects, N) chooses for each picture."""
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
    """Return L (N, 1, H, W) in [0, 1] of films with another sensitivity to red, green and blue.

    Args:
        pixels: as for ``simulate_film``.
        amount: (N,), 0 for that of L itself to 1 for any other.
    """
    own = torch.tensor(LUMINANCE, device=pixels.device)
    other = torch.rand(len(pixels), 3).clamp(min=1e-6).log()  # a flat Dirichlet distribution
    other = (other / other.sum(1, keepdim=True)).to(pixels.device)
    return (lightness_on_film(pixels, torch.lerp(own, other, amount[:, None])) + 1) / 2


def blur(light: Tensor, amount: Tensor) -> Tensor:
    """Blur by a Gaussian, one width for each picture."""
    places = torch.arange(-BLUR_RADIUS, BLUR_RADIUS + 1, device=light.device)
    sigma = (MAX_BLUR * amount).clamp(min=0.1)  # which is none
    kernel = torch.exp(-places.square() / (2 * sigma.square()))
    kernel = kernel / kernel.sum(3, keepdim=True)
    radius = BLUR_RADIUS
    padded = F.pad(light, (radius, radius, radius, radius), mode="replicate").transpose(0, 1)
    across = F.conv2d(padded, kernel, groups=len(light))
    return F.conv2d(across, kernel.transpose(2, 3), groups=len(light)).transpose(0, 1)


def vignette(light: Tensor, amount: Tensor) -> Tensor:
    """Darken towards the edges of a photo that the picture is a part of."""
    middle = torch.rand(2, len(light), 1, 1, 1).to(light.device) * 2 - 1
    down = torch.linspace(-1, 1, light.shape[2], device=light.device).view(1, 1, -1, 1)
    across = torch.linspace(-1, 1, light.shape[3], device=light.device)
    distance = ((down - middle[0]).square() + (across - middle[1]).square()) / 2
    return light * (1 - _MOST_VIGNETTE * amount * distance).clamp(min=0)


def change_tone(light: Tensor, amount: Tensor) -> Tensor:
    """Change gamma and contrast."""
    gamma, contrast = (torch.rand(2, len(light), 1, 1, 1) * 2 - 1).to(light.device)
    curved = light.clamp(min=1e-4) ** torch.exp2(_MOST_GAMMA * amount * gamma)
    return 0.5 + (curved - 0.5) * (1 + _MOST_CONTRAST * amount * contrast)


def add_grain(light: Tensor, amount: Tensor) -> Tensor:
    """Add noise of two sizes of grain, strongest in middle tones."""
    fine = torch.randn_like(light)
    coarse = torch.randn_like(light[..., ::2, ::2])
    coarse = F.interpolate(coarse, light.shape[2:], mode="bilinear", align_corners=False)
    strength = 0.3 + 2.8 * light * (1 - light)
    return light + MAX_GRAIN * amount * strength * (fine + coarse) / math.sqrt(2)


def fade(light: Tensor, amount: Tensor) -> Tensor:
    """Lift blacks and dull whites."""
    lift, dull = torch.rand(2, len(light), 1, 1, 1).to(light.device)
    black, white = _MOST_LIFT * amount * lift, 1 - _MOST_DULL * amount * dull
    return black + (white - black) * light


def compress(light: Tensor, amount: Tensor) -> Tensor:
    """Round the cosine coefficients of 8 x 8 blocks, as a JPEG file does."""
    n, _, height, width = light.shape
    padded = F.pad(light, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = padded.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    place = torch.arange(8, device=light.device)
    cosines = torch.cos((2 * place + 1) * place[:, None] * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    low, high = JPEG_QUALITIES
    quality = (high - (high - low) * amount).view(n, 1, 1, 1, 1, 1)
    percent = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = torch.tensor(_JPEG_STEPS, device=light.device)
    steps = (percent * table).round().clamp(1, 255) / 255
    coefficients = cosines @ (blocks - _JPEG_MIDDLE) @ cosines.T
    rounded = (coefficients / steps).round() * steps
    back = (cosines.T @ rounded @ cosines + _JPEG_MIDDLE).transpose(3, 4).flatten(4).flatten(2, 3)
    return torch.where(amount > 0, back[..., :height, :width], light)


AGEING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "blur": blur,
    "vignette": vignette,
    "tone": change_tone,
    "grain": add_grain,
    "fade": fade,
    "jpeg": compress,
}
"""Effects on a photo once it is taken, in that order: from L in [0, 1] (N, 1, H, W) and the
amounts (N, 1, 1, 1) in [0, 1] to L."""

EFFECTS = ("mix", *AGEING)
"""Names of all effects, as in ``FilmConfig``."""
