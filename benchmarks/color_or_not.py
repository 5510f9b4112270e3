"""How often a photo is taken for what it is not: in colour, or black-and-white.

python benchmarks/color_or_not.py --data PHOTOS/val [--data PHOTOS/val-more]

Each colour photo (of a colourfulness of 15 and more, as in docs/metrics.md) is judged as it is,
faded, and framed; and as a black-and-white one, made gray by its own luminance, toned, stained and
framed. All are written as JPEG files of quality 92 and read as `colorize` reads them.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from pix2color.color.lab import rgb_to_gray
from pix2color.data.sources import MIN_PROTOCOL_COLORFULNESS, collect, picture_colorfulness
from pix2color.imaging.grayscale import read_gray_photo

Picture = np.ndarray  # (H, W, 3) in [0, 1]
Change = Callable[[np.ndarray, np.random.Generator], Picture]
# Dark and light end of a tone, in RGB.
PAPER = (0.03, 0.03, 0.03), (0.97, 0.96, 0.93)
SEPIA = (0.05, 0.04, 0.03), (1.0, 0.89, 0.63)
CYANOTYPE = (0.0, 0.12, 0.30), (0.93, 0.97, 0.98)
GOLDEN = (0.18, 0.10, 0.04), (0.98, 0.92, 0.78)
SHADOWS, LIGHTS = ((0.05, 0.04, 0.12), (0.9, 0.88, 1.0)), ((0.1, 0.06, 0.0), (1.0, 0.95, 0.82))
PAGE, MAT, WHITE, SCANNER = (0.30, 0.22, 0.13), (0.12, 0.35, 0.2), (0.97, 0.96, 0.92), (0.02,) * 3
PATCHES = [(0, 0.5, 0.7), (0.2, 0.6, 0.3), (0.95, 0.85, 0.2), (0.8, 0.2, 0.2)]
PATCHES += [(0.7, 0.2, 0.5), (1, 1, 1), (0.4, 0.3, 0.2), (0, 0, 0)]


def toned(gray: np.ndarray, ends: tuple[tuple[float, ...], tuple[float, ...]]) -> Picture:
    dark, light = (np.array(end) for end in ends)
    return dark + gray[..., None] * (light - dark)


def split_toned(gray: np.ndarray) -> Picture:
    share = 1 / (1 + np.exp(-(gray[..., None] - 0.5) * 20))
    return (1 - share) * toned(gray, SHADOWS) + share * toned(gray, LIGHTS)


def places(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = gray.shape
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return down[..., None], across[..., None]


def stained(gray: np.ndarray) -> Picture:
    down, across = places(gray)
    return toned(gray, ((0.25, 0.2, 0.2), (0.95, 0.85, 0.7))) - down * across * [0, 0, 0.12]


def golden(gray: np.ndarray) -> Picture:
    down, across = places(gray)
    corner = np.clip(across - down, 0, 1)
    return toned(gray, GOLDEN) * (1 - 0.35 * corner * [0, 0.35, 1])


def faded(picture: Picture, chroma: float) -> Picture:
    gray = picture.mean(2, keepdims=True)
    return (0.25 + 0.6 * (gray + chroma * (picture - gray))) * [1.08, 0.92, 0.86]


def reddened(picture: Picture) -> Picture:
    """As prints of the seventies do whose cyan dye has gone."""
    left = picture * [0.9, 0.55, 0.6] + [0.1, 0.22, 0.2]
    gray = left.mean(2, keepdims=True)
    return gray + 0.6 * (left - gray)


def framed(picture: Picture, color: tuple[float, ...], random: np.random.Generator) -> Picture:
    height, width, _ = picture.shape
    margin = round(0.12 * min(height, width))
    out = np.full((height + 2 * margin, width + 2 * margin, 3), color)
    out += random.normal(0, 0.02, (*out.shape[:2], 1))
    out[margin : margin + height, margin : margin + width] = picture
    return out


def with_patches(picture: Picture) -> Picture:
    out = picture.copy()
    height, width, _ = out.shape
    patches = np.array(PATCHES, dtype=float)[np.arange(width) * len(PATCHES) // width]
    out[-round(0.06 * height) :] = patches
    return out


BLACK_AND_WHITE: dict[str, Change] = {
    "gray": lambda gray, random: np.repeat(gray[..., None], 3, axis=2),
    "on yellowed paper": lambda gray, random: toned(gray, PAPER),
    "sepia": lambda gray, random: toned(gray, SEPIA),
    "selenium": lambda gray, random: np.stack([gray**0.9, gray, gray**0.85], axis=-1),
    "cyanotype": lambda gray, random: toned(gray, CYANOTYPE),
    "two tones": lambda gray, random: split_toned(gray),
    "faded and stained": lambda gray, random: stained(gray),
    "golden in a corner": lambda gray, random: golden(gray),
    "on a brown page": lambda gray, random: framed(toned(gray, PAPER), PAGE, random),
    "on a green mat": lambda gray, random: framed(toned(gray, PAPER), MAT, random),
    "sepia, on a brown page": lambda gray, random: framed(toned(gray, SEPIA), PAGE, random),
    "sepia, in a white frame": lambda gray, random: framed(toned(gray, SEPIA), WHITE, random),
    "with a colour strip": lambda gray, random: with_patches(toned(gray, PAPER)),
    "on a brown page, with a colour strip": lambda gray, random: with_patches(
        framed(toned(gray, PAPER), PAGE, random)
    ),
}
COLOR: dict[str, Change] = {
    "as it is": lambda rgb, random: rgb,
    "faded, half the chroma": lambda rgb, random: faded(rgb, 0.5),
    "faded, a third of the chroma": lambda rgb, random: faded(rgb, 0.35),
    "reddened": lambda rgb, random: reddened(rgb),
    "on a brown page": lambda rgb, random: framed(rgb, PAGE, random),
    "on a green mat": lambda rgb, random: framed(rgb, MAT, random),
    "in a white frame": lambda rgb, random: framed(rgb, WHITE, random),
    "on a scanner's black": lambda rgb, random: framed(rgb, SCANNER, random),
    "faded to a half, in a white frame": lambda rgb, random: framed(faded(rgb, 0.5), WHITE, random),
}


def judged(picture: Picture) -> tuple[float, bool, bool]:
    """Measure of a picture, whether it is in colour, and whether that is doubtful."""
    levels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=92)
    photo = read_gray_photo(Path("a.jpg"), file.getvalue())
    return photo.color, photo.has_color, photo.is_doubtful


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, action="append")
    parser.add_argument("--every", type=int, default=1, help="take only each so manieth photo")
    options = parser.parse_args()
    results: dict[tuple[str, bool], list[tuple[float, bool, bool]]] = {}
    for number, file in enumerate(collect(options.data)[:: options.every]):
        photo = file.read()
        if picture_colorfulness(photo) < MIN_PROTOCOL_COLORFULNESS:
            continue
        pixels = np.asarray(photo)
        for changes, source, colored in (
            (BLACK_AND_WHITE, rgb_to_gray(pixels) / 255, False),
            (COLOR, pixels / 255, True),
        ):
            for name, change in changes.items():
                found = judged(change(source, np.random.default_rng(number)))
                results.setdefault((name, colored), []).append(found)
    print("| photo | photos | judged wrongly | of them said to be doubtful | 1 % | 50 % | 99 % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (name, colored), found in results.items():
        wrong = [doubtful for _, in_color, doubtful in found if in_color != colored]
        shares = [f"{100 * len(wrong) / len(found):.1f} %", f"{sum(wrong)} of {len(wrong)}"]
        spread = [f"{q:.2f}" for q in np.quantile([m for m, _, _ in found], (0.01, 0.5, 0.99))]
        kind = "in colour" if colored else "black-and-white"
        print("|", " | ".join([f"{kind}, {name}", str(len(found)), *shares, *spread]), "|")


if __name__ == "__main__":
    main()
