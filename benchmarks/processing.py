"""What each step before and after the network does to the figures.

python benchmarks/processing.py [--model runs/mine-gan] --data PHOTOS/val [--pictures 100]

Every row is the whole of `colorize` on the squares of the protocol (docs/metrics.md), with one
thing changed. The squares are made gray (their own luminance), toned where a row says so, and
measured against the colour squares. Below: how ab is best enlarged, at edges.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2color import ColorizeOptions, Colorizer, metrics
from pix2color.color.lab import (
    AB_SCALE,
    l_ab_to_rgb,
    lightness,
    rgb_to_gray,
    rgb_to_l_ab,
    rgb_to_lab,
)
from pix2color.data.sources import collect, protocol_square
from pix2color.errors import ImageError
from pix2color.evaluation.systems import predicted_ab
from pix2color.imaging.grayscale import gray_photo
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.network_input import reduce_photo

HEADINGS = ("PSNR", "ΔE00", "colourfulness", "ab-JS", "wash-out", "|ΔL*|", "99.9 %")


def squares(folder: Path, count: int) -> list[np.ndarray]:
    """uint8 (256, 256, 3)."""
    files = collect([folder])
    found = []
    for file in files[:: max(1, len(files) // count)]:
        try:
            square = protocol_square(file)
        except ImageError:
            continue
        if square is not None:
            found.append(square.transpose(1, 2, 0))
    return found


def tensor(picture: Image.Image | np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


def sepia(gray: np.ndarray) -> Image.Image:
    levels = gray[..., None] / 255 * np.array([0.95, 0.85, 0.6]) + np.array([0.05, 0.04, 0.03])
    return Image.fromarray(np.rint(levels.clip(0, 1) * 255).astype(np.uint8))


def row(truths: list[np.ndarray], make: Callable[[np.ndarray], Tensor]) -> list[float]:
    """The figures of what ``make`` makes of the gray squares: RGB (1, 3, 256, 256)."""
    scores: list[dict[str, float]] = []
    pooled, moved = metrics.PooledScores(), []
    for truth in truths:
        gray = rgb_to_gray(truth)
        made, rgb = make(gray), tensor(truth)
        lab = rgb_to_lab(made)
        scores.append({k: v.item() for k, v in metrics.picture_scores(made, rgb).items()})
        pooled.add(lab, rgb_to_lab(rgb))
        moved.append((lab[0, 0].numpy() - (lightness(gray) + 1) * 50).ravel())
    away = np.abs(np.concatenate(moved))
    mean = {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}
    ratio = mean["colorfulness"] / mean["true_colorfulness"]
    figures = [mean["psnr"], mean["delta_e"], ratio, pooled.ab_js(), pooled.washout()]
    return [*figures, float(away.mean()), float(np.quantile(away, 0.999))]


def rows(model: str, truths: list[np.ndarray]) -> dict[str, Callable[[np.ndarray], Tensor]]:
    plain = Colorizer.load(model)
    own = plain.render_size()

    def with_options(**options: Any) -> Callable[[np.ndarray], Tensor]:
        return lambda gray: tensor(plain.colorize(gray, ColorizeOptions(**options)))

    def exactly(gamut: str) -> Callable[[np.ndarray], Tensor]:
        def make(gray: np.ndarray) -> Tensor:
            L = torch.from_numpy(lightness(gray))[None, None]
            return l_ab_to_rgb(L, predicted_ab(plain, L), gamut=gamut)

        return make

    def as_luma(gray: np.ndarray) -> Tensor:
        """8-bit gray taken for L* itself, a common mistake."""
        L = torch.from_numpy(gray)[None, None] / 127.5 - 1
        return l_ab_to_rgb(L, predicted_ab(plain, L))

    several = torch.from_numpy(np.concatenate(truths[:16])).permute(2, 0, 1)[None]
    like = ChromaStatistics.from_rgb(several[0].numpy())
    made = {
        "gray": lambda gray: tensor(np.stack([gray] * 3, axis=-1)),
        f"as colorize does it (render size {own})": with_options(),
        "exact Lab at full size": exactly("shrink"),
        "exact Lab, clipped instead of shrunk": exactly("clip"),
        "gray values taken for L*": as_luma,
        "--tta": with_options(tta=True),
        "--saturation 1.25": with_options(saturation=1.25),
        "--saturation 1.5": with_options(saturation=1.5),
        "--temperature 20": with_options(temperature=20),
        "--like (colours of 16 of the photos)": with_options(like=like),
        "sepia, read by its luminance": lambda gray: tensor(
            _regrayed(plain, gray_photo(sepia(gray)).gray, gray)
        ),
    }
    for size in (96, 128, 160, 192, 256):
        if size != own:
            made[f"--render-size {size}"] = with_options(render_size=size)
    return made


def _regrayed(colorizer: Colorizer, toned: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """Colours predicted from the toned photo, on the clean one, so that only colours differ."""
    side = colorizer.render_size()
    given = reduce_photo(gray_photo(Image.fromarray(toned)), side)
    clean = reduce_photo(gray_photo(Image.fromarray(gray)), side)
    return np.array(colorizer.finish(clean, colorizer.predict([given])[0]).to_picture())


def bilinear(L: Tensor, ab: Tensor, full: Tensor) -> Tensor:
    return F.interpolate(ab, full.shape[2:], mode="bilinear", align_corners=False)


def joint_bilateral(L: Tensor, ab: Tensor, full: Tensor, sigma: float = 0.1) -> Tensor:
    """Weights by place and by likeness of L (Kopf et al. 2007, doi:10.1145/1275808.1276497)."""
    (h, w), (height, width) = L.shape[2:], full.shape[2:]
    down = (torch.arange(height) + 0.5) * h / height - 0.5
    across = (torch.arange(width) + 0.5) * w / width - 0.5
    total, weights = torch.zeros(1), torch.zeros(1)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            y, x = down.round().long() + dy, across.round().long() + dx
            place = torch.exp(-((y - down)[:, None] ** 2 + (x - across) ** 2) / 2)
            y, x = y.clamp(0, h - 1), x.clamp(0, w - 1)
            likeness = torch.exp(-((L[:, :, y][..., x] - full) ** 2) / (2 * sigma**2))
            weight = place * likeness
            total, weights = total + weight * ab[:, :, y][..., x], weights + weight
    return total / weights.clamp(min=1e-6)


def edges(model: str, truths: list[np.ndarray]) -> None:
    """Mean ab distance to the truth at its strongest chroma edges (a tenth of the pixels)."""
    colorizer = Colorizer.load(model)
    errors: dict[str, list[float]] = {}
    for truth in truths:
        L, ab = rgb_to_l_ab(tensor(truth))
        size = [side // 4 for side in L.shape[2:]]
        low, low_ab = (F.interpolate(x, size, mode="bilinear", antialias=True) for x in (L, ab))
        step = F.pad(ab.diff(dim=3), (0, 1)).square() + F.pad(ab.diff(dim=2), (0, 0, 0, 1)).square()
        edge = F.avg_pool2d(step.sum(1).sqrt(), 5, stride=1, padding=2)[0]
        mask = edge > edge.quantile(0.9)
        predicted = torch.from_numpy(colorizer.network(low.numpy()))
        for what, start in (("the true ab", low_ab), ("predicted ab", predicted)):
            for how in (bilinear, joint_bilateral):
                away = (how(low, start, L) - ab)[0].norm(dim=0)[mask].mean() * AB_SCALE
                errors.setdefault(f"{what}, {how.__name__}", []).append(away.item())
    print("\nab at 64 pixels enlarged to 256: mean distance from the truth at edges")
    for name, away in errors.items():
        print(f"{name:32}{np.mean(away):8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default", help="run, file or name")
    parser.add_argument("--data", type=Path, required=True, help="folder of colour photos")
    parser.add_argument("--pictures", type=int, default=100)
    options = parser.parse_args()
    truths = squares(options.data, options.pictures)
    print(f"{len(truths)} photos\n{'':40}" + "".join(f"{h:>14}" for h in HEADINGS))
    with torch.inference_mode():
        for name, make in rows(options.model, truths).items():
            figures = row(truths, make)
            print(f"{name:40}" + "".join(f"{figure:14.3f}" for figure in figures), flush=True)
        edges(options.model, truths)


if __name__ == "__main__":
    main()
