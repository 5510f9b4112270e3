"""Writes the photographs that ship inside scikit-image, and pictures made of them.

python assets/photos.py demo/photos                       # in colour, to train the demo on
python assets/photos.py --gray pix2color/samples          # gray, to be coloured
python assets/photos.py --pairs demo/colour colour.jpg    # samples above their colour versions
"""

import argparse
from pathlib import Path

from PIL import Image
from skimage import data

COLOUR = ("astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle")
GRAY = ("astronaut", "camera", "chelsea", "coffee", "rocket")
SAMPLES = Path(__file__).parents[1] / "pix2color" / "samples"
LONG_SIDE = 512
ROW_HEIGHT, GAP = 200, 4


def photograph(name: str) -> Image.Image:
    """One of scikit-image's pictures, at most 512 pixels long."""
    pixels = getattr(data, name)()
    picture = Image.fromarray(pixels[0] if isinstance(pixels, tuple) else pixels)
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return picture


def pairs(colour: Path) -> Image.Image:
    """The gray samples in a row, and below each what ``colour`` has under its name."""
    rows = [[Image.open(folder / f"{n}.jpg") for n in GRAY] for folder in (SAMPLES, colour)]
    sizes = [(round(p.width * ROW_HEIGHT / p.height), ROW_HEIGHT) for p in rows[0]]
    width = sum(w for w, _ in sizes) + GAP * (len(sizes) - 1)
    sheet = Image.new("RGB", (width, 2 * ROW_HEIGHT + GAP), "white")
    for row, pictures in enumerate(rows):
        left = 0
        for picture, size in zip(pictures, sizes, strict=True):
            sheet.paste(picture.convert("RGB").resize(size), (left, row * (ROW_HEIGHT + GAP)))
            left += size[0] + GAP
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--gray", action="store_true", help="the samples, without colour")
    kinds.add_argument("--pairs", type=Path, metavar="FOLDER", help="the samples in colour")
    options = parser.parse_args()
    if options.pairs:
        pairs(options.pairs).save(options.out, quality=92)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name in GRAY if options.gray else COLOUR:
        picture = photograph(name)
        if options.gray:
            picture.convert("L").save(options.out / f"{name}.jpg", quality=92)
        else:
            picture.save(options.out / f"{name}.png")


if __name__ == "__main__":
    main()
