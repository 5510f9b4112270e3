"""Training curves and samples of the model that comes with pix2color, from its runs.

    python docs/results/default_model.py runs/default-l1 runs/default-gan docs/results/default

`curves.png`: validation of all stages, one after the other. `samples.jpg`: photographs that ship
inside scikit-image, none of which it has been trained on: gray, after each stage, truth.
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image, ImageDraw, ImageFont

from pix2color.inference.colorizer import Colorizer

sys.path.insert(0, str(Path(__file__).parents[2] / "assets"))
from photos import COLOUR, photograph

CURVES = {
    "val/psnr": "PSNR, dB",
    "val/delta_e": "ΔE00",
    "val/colorfulness_ratio": "colourfulness ratio",
}
SIDE, GAP, LABEL = 220, 6, 130


def validations(run: Path) -> list[dict[str, float]]:
    """Those of a run, in order."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line for line in lines if "val/psnr" in line]


def curves(stages: list[Path], path: Path) -> None:
    """A plot for each measure; the gray picture's as a dashed line, the stages apart by colour."""
    figure, plots = plt.subplots(1, len(CURVES), figsize=(11, 3), layout="constrained")
    for plot, (measure, label) in zip(plots, CURVES.items(), strict=True):
        before = 0.0
        for run in stages:
            points = validations(run)
            steps = [before + point["step"] / 1000 for point in points]
            plot.plot(steps, [point[measure] for point in points], marker=".", label=run.name)
            before = steps[-1]
        if f"{measure}_gray" in points[-1]:
            gray = points[-1][f"{measure}_gray"]
            plot.axhline(gray, linestyle="--", color="gray", label="gray picture")
        plot.set(xlabel="thousand steps", ylabel=label)
        plot.spines[["top", "right"]].set_visible(False)
    plots[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def samples(stages: list[Path]) -> Image.Image:
    """A column a photograph, a row a stage."""
    photos = [photograph(name) for name in COLOUR]
    rows = {"gray": [photo.convert("L").convert("RGB") for photo in photos]}
    for run in stages:
        colorizer = Colorizer.load(run)
        rows[run.name.removeprefix("default-").upper()] = [
            colorizer.colorize(photo.convert("L")) for photo in photos
        ]
    rows["truth"] = photos
    size = (LABEL + len(photos) * (SIDE + GAP), len(rows) * (SIDE + GAP))
    drawn = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(drawn), ImageFont.load_default(20)
    for row, (name, pictures) in enumerate(rows.items()):
        top = row * (SIDE + GAP)
        draw.text((LABEL - 10, top + SIDE / 2), name, "black", font, anchor="rm")
        for column, picture in enumerate(pictures):
            drawn.paste(square(picture), (LABEL + column * (SIDE + GAP), top))
    return drawn


def square(picture: Image.Image) -> Image.Image:
    """The middle of it."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="one after the other, and a folder")
    options = parser.parse_args()
    *stages, out = options.runs
    out.mkdir(parents=True, exist_ok=True)
    curves(stages, out / "curves.png")
    samples(stages).save(out / "samples.jpg", quality=88)


if __name__ == "__main__":
    main()
