"""How much a model's colours change when the photo is the same and only its file is another.

    python docs/results/steadiness.py PHOTOS/val --model runs/mine

Each photo is coloured as the gray square of 256 pixels of the protocol, and then at half and at
twice that size, toned sepia, faded, and with grain. What is printed is the mean ΔE00 between the
two colourings, on the luminance of the clean square.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pix2color import Colorizer, metrics
from pix2color.color.lab import rgb_to_gray, rgb_to_lab
from pix2color.data.batches import evaluation_batches
from pix2color.data.sources import collect

SIDE = 256


def variants(gray: np.ndarray) -> dict[str, Image.Image]:
    """The same photo, (256, 256), as other files."""
    clean = Image.fromarray(gray)
    values = gray.astype(float)
    sepia = np.stack([values * 1.07, values * 0.95, values * 0.74], axis=2)
    random = np.random.default_rng(0)
    levels = {
        "sepia": sepia,
        "faded": 60 + values * 0.6,
        "grain": values + random.normal(0, 10, values.shape),
    }
    sizes = {"half": SIDE // 2, "twice": 2 * SIDE}
    return {
        **{
            name: clean.resize((side, side), Image.Resampling.BICUBIC)
            for name, side in sizes.items()
        },
        **{name: Image.fromarray(v.clip(0, 255).astype(np.uint8)) for name, v in levels.items()},
    }


def chroma(picture: Image.Image) -> torch.Tensor:
    """The a* and b* of a picture at 256 pixels, (2, 256, 256)."""
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return rgb_to_lab(torch.from_numpy(np.asarray(small).transpose(2, 0, 1).copy())[None] / 255)[
        0, 1:
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--model", default="default", help="run, file or name")
    parser.add_argument("--every", type=int, default=8, help="take every so many photos")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.model)
    photos = collect(options.photos)[:: options.every]
    found: dict[str, list[float]] = {}
    for squares, _ in evaluation_batches(photos, size=SIDE, batch_size=1):
        gray = rgb_to_gray(squares[0].permute(1, 2, 0).numpy())
        clean = colorizer.colorize(gray)
        L = rgb_to_lab(torch.from_numpy(np.repeat(gray[None, None], 3, 1)) / 255)[0, :1]
        for name, variant in variants(gray).items():
            pair = (torch.cat([L, chroma(p)])[None] for p in (clean, colorizer.colorize(variant)))
            found.setdefault(name, []).append(metrics.ciede2000(*pair).mean().item())
    for name, distances in found.items():
        print(f"{name:8}{np.mean(distances):6.2f}   of {len(distances)} photos")


if __name__ == "__main__":
    main()
