"""How a model colours the skin of people in portraits, by how light or dark it is.

Skin is taken to be the pixels of the middle of the square (half its width, from a quarter to three
quarters of its height) whose true hue is a skin's: h_ab of 20° to 80° and a C* of 8 to 45.
Portraits with fewer than a tenth of such pixels are left out. They are grouped by the individual
typology angle, ITA = atan((L* - 50) / b*) of their median (Chardon et al. 1991), which describes
light on a photograph, not a person: the same face is another group in shade.

    python docs/results/skin_tones.py PHOTOS/val/faces --model runs/mine
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from pix2color import metrics
from pix2color.color.lab import rgb_to_lab
from pix2color.data.sources import collect
from pix2color.evaluation.protocol import protocol_pictures
from pix2color.inference.colorizer import Colorizer

GROUPS = {"light": 41.0, "intermediate": 28.0, "tan": 10.0, "brown": -30.0, "dark": -90.0}
"""Lowest ITA of each, in degrees."""
MIDDLE = (slice(64, 192), slice(64, 192))


def lab(rgb: np.ndarray) -> torch.Tensor:
    """L*, a*, b* of the middle of a picture, (3, h, w)."""
    pixels = torch.from_numpy(rgb[(slice(None), *MIDDLE)].copy())[None] / 255
    return rgb_to_lab(pixels)[0]


def skin(true: torch.Tensor) -> torch.Tensor:
    """Which pixels of (3, h, w) have a skin's hue and chroma."""
    hue, chroma = torch.rad2deg(torch.atan2(true[2], true[1])), true[1:].norm(dim=0)
    return (hue > 20) & (hue < 80) & (chroma > 8) & (chroma < 45) & (true[0] > 10)


def portraits(colorizer: Colorizer, folder: Path) -> dict[str, list[list[float]]]:
    """By group, a line a portrait: ΔE00, and a*, b* and C* of the model less the truth's."""
    found: dict[str, list[list[float]]] = {name: [] for name in GROUPS}
    for _, ours, truth in protocol_pictures(colorizer, collect([folder])).values():
        true, predicted = lab(truth), lab(ours)
        where = skin(true)
        if where.float().mean() < 0.1:
            continue
        pixels, colours = true[:, where], predicted[:, where]
        lightness, _, b = pixels.median(dim=1).values.tolist()
        ita = np.degrees(np.arctan2(lightness - 50, b))
        group = next(name for name, lowest in GROUPS.items() if ita >= lowest)
        distance = metrics.ciede2000(colours[None, :, None], pixels[None, :, None]).mean()
        shift = (colours - pixels).mean(dim=1)
        chroma = colours[1:].norm(dim=0).mean() - pixels[1:].norm(dim=0).mean()
        found[group].append([float(distance), float(shift[1]), float(shift[2]), float(chroma)])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", type=Path, help="folder of portraits in colour")
    parser.add_argument("--model", default="default", help="run, file or name")
    options = parser.parse_args()
    print("| skin in the photograph | portraits | ΔE00 | Δa* | Δb* | ΔC* |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, lines in portraits(Colorizer.load(options.model), options.portraits).items():
        if lines:
            means = np.mean(lines, axis=0)
            figures = " | ".join([f"{means[0]:.1f}", *(f"{mean:+.1f}" for mean in means[1:])])
            print(f"| {name} | {len(lines)} | {figures} |")


if __name__ == "__main__":
    main()
