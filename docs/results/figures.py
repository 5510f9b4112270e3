"""What a comparison's page here has of it: the table in short, which is printed, how each system
colours the photographs that ship inside scikit-image (none has been trained on them), and the
curves of two of them in one figure.

    python docs/results/figures.py comparison docs/results/comparison
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image, ImageDraw, ImageFont

from pix2color.evaluation.tables import MEASURES
from pix2color.experiments.costs import averaged, relative_losses
from pix2color.inference.colorizer import Colorizer

sys.path.insert(0, str(Path(__file__).parents[2] / "assets"))
from photos import COLOUR, photograph

SIDE, GAP, LABEL, BLOCKS = 150, 4, 190, 2
CURVES = ("unet-l1", "unet-mse")
SHORT = ("psnr", "delta_e", "colorfulness_ratio", "ab_js", "washout", "auc_rebalanced", "critic")


def table(systems: dict, gray: dict) -> str:
    """A line a system, without intervals."""
    measures = {name: MEASURES[name] for name in SHORT}

    def line(name: str, scores: dict, speed: str, size: str) -> list[str]:
        return [
            name,
            *(f"{scores[key][0]:.{m.digits}f}" for key, m in measures.items()),
            speed,
            size,
        ]

    headings = [f"{m.heading} {m.better}" for m in measures.values()]
    lines = [["system", *headings, "pictures/s", "million parameters"]]
    lines += [["---"] * len(lines[0]), line("gray", gray, "–", "–")]
    for name, system in systems.items():
        costs = system["costs"]
        speed, size = f"{costs['pictures_per_second']:.0f}", f"{costs['parameters'] / 1e6:.1f}"
        lines.append(line(name, system["scores"], speed, size))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def square(picture: Image.Image) -> Image.Image:
    """The middle of it."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))


def sheet(runs: Path, systems: list[str]) -> Image.Image:
    """A row a system, in two blocks."""
    photos = [photograph(name) for name in COLOUR]
    rows = {"gray": [photo.convert("L").convert("RGB") for photo in photos]}
    for system in systems:
        colorizer = Colorizer.load(runs / system)
        rows[system] = [colorizer.colorize(photo) for photo in photos]
    rows["truth"] = photos
    down = -(-len(rows) // BLOCKS)
    width = LABEL + len(photos) * (SIDE + GAP)
    drawn = Image.new("RGB", (BLOCKS * width, down * (SIDE + GAP)), "white")
    draw, font = ImageDraw.Draw(drawn), ImageFont.load_default(18)
    for number, (name, pictures) in enumerate(rows.items()):
        block, row = divmod(number, down)
        left, top = block * width, row * (SIDE + GAP)
        draw.text((left + LABEL - 12, top + SIDE / 2), name, "black", font, anchor="rm")
        for column, picture in enumerate(pictures):
            drawn.paste(square(picture), (left + LABEL + column * (SIDE + GAP), top))
    return drawn


def curves(systems: dict, path: Path) -> None:
    """Losses of different kinds as shares of their start; beside them PSNR on validation photos."""
    figure, (losses, psnr) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name in CURVES:
        found = systems[name]["costs"]["curves"]
        for axes, curve in ((losses, relative_losses(found)), (psnr, averaged(found["val/psnr"]))):
            axes.plot(*zip(*curve, strict=True), label=name)
    psnr.axhline(found["val/psnr_gray"][-1][1], linestyle="--", color="gray", label="gray picture")
    losses.set(
        xlabel="minutes of training", ylabel="training loss, share of its start", ylim=(0, None)
    )
    psnr.set(xlabel="minutes of training", ylabel="PSNR on validation photos, dB")
    for axes in (losses, psnr):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path, help="what compare was given as --out")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    found = json.loads((options.comparison / "report" / "results.json").read_text())
    systems = found["systems"]
    print(table(systems, found["gray"]))
    options.out.mkdir(parents=True, exist_ok=True)
    sheet(options.comparison / "runs", list(systems)).save(options.out / "pictures.jpg", quality=88)
    curves(systems, options.out / "curves.png")


if __name__ == "__main__":
    main()
