"""Writes the photographs that ship inside scikit-image.

python assets/photos.py demo/photos            # the colour ones, to train the demo on
python assets/photos.py --gray assets/samples  # gray ones, to be coloured
"""

import argparse
from pathlib import Path

from PIL import Image
from skimage import data

COLOUR = ("astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle")
GRAY = ("astronaut", "camera", "chelsea", "coffee", "rocket")
LONG_SIDE = 512


def photograph(name: str) -> Image.Image:
    """One of scikit-image's pictures, at most 512 pixels long."""
    pixels = getattr(data, name)()
    picture = Image.fromarray(pixels[0] if isinstance(pixels, tuple) else pixels)
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gray", action="store_true", help="the samples, without colour")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in GRAY if options.gray else COLOUR:
        picture = photograph(name)
        if options.gray:
            picture.convert("L").save(options.folder / f"{name}.jpg", quality=92)
        else:
            picture.save(options.folder / f"{name}.png")


if __name__ == "__main__":
    main()
