"""Speed of `pix2color colorize`, as a ratio to merely reading and writing the files.

python benchmarks/colorize.py                  # the model that ships, some minutes
python benchmarks/colorize.py --photos PHOTOS  # made from other photos
python benchmarks/colorize.py --memory         # peak memory instead

Gray JPEG files of about 1 and 12 megapixels are made from real photographs, with film grain.
(a) floor     decode them and encode colour pictures (4:2:0, same quality) with Pillow, and the
              network's bare forward in batches, on as many threads as (b)
(b) pix2color the whole folder job: hashes, manifest, metadata and all, after start-up
(c) torch     the same with the same weights run by torch
(d) plain     one picture at a time, float32, scikit-image's Lab both ways, DynamicUnet at 256
Start-up is from starting the command to the first picture of a megapixel; a preview is ``colorize``
of a picture of 12 megapixels in memory, with another hint each time.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import color as sk_color
from skimage import data

from pix2color import Colorizer, Hint
from pix2color.color.lab import lightness, rgb_to_lab
from pix2color.files import coloring_model, starting_model
from pix2color.inference.colorizer import BATCH
from pix2color.inference.folder_job import FolderJob
from pix2color.inference.folder_plan import JobOptions
from pix2color.inference.options import DEFAULT_QUALITY, ColorizeOptions
from pix2color.inference.photo_result import COLORED
from pix2color.models.registry import build_generator
from pix2color.processes import cores

SIZES = {"1 MP": (1_000_000, 100), "12 MP": (12_000_000, 20)}
INCLUDED = ("astronaut", "chelsea", "coffee", "rocket", "camera")
GRAIN = 3.0


def photographs(folder: Path | None) -> list[Image.Image]:
    if folder is None:
        return [Image.fromarray(getattr(data, name)()).convert("L") for name in INCLUDED]
    files = sorted(folder.rglob("*.jpg"))
    return [Image.open(file).convert("L") for file in files[:: max(1, len(files) // 20)]][:20]


def make(folder: Path, sources: list[Image.Image], pixels: int, count: int) -> None:
    """Gray JPEG files of about so many pixels, all different."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        picture = sources[i % len(sources)]
        scale = (pixels / (picture.width * picture.height)) ** 0.5
        size = (round(picture.width * scale), round(picture.height * scale))
        levels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
        levels += random.standard_normal(levels.shape, dtype=np.float32) * GRAIN
        gray = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
        gray.save(folder / f"{i:03d}.jpg", quality=90)


def floor(
    photos: Path, colored: dict[str, Image.Image], out: Path, colorizer: Colorizer
) -> Callable:
    """Reading, writing and the network, each at its best, with nothing between them."""
    files = sorted(photos.iterdir())
    side = colorizer.render_size()
    batches = []
    for start in range(0, len(files), BATCH):
        chosen = files[start : start + BATCH]
        width, height = Image.open(chosen[0]).size
        scale = side / min(width, height)
        size = (round(height * scale), round(width * scale))
        batches.append(np.zeros((len(chosen), 1, *size), np.float32))

    def codec(file: Path) -> None:
        with Image.open(file) as picture:
            picture.load()
        options = {"quality": DEFAULT_QUALITY, "subsampling": 2}
        colored[file.name].save(out / file.name, **options)

    def run() -> None:
        with ThreadPoolExecutor(cores(), initializer=colorizer.use_one_thread) as pool:
            tasks = [pool.submit(colorizer.network, batch) for batch in batches]
            tasks += [pool.submit(codec, file) for file in files]
            for task in tasks:
                task.result()

    return run


def ours(photos: Path, out: Path, colorizer: Colorizer) -> Callable:
    def run() -> None:
        job_options = JobOptions(paths=(photos,), out=out, overwrite=True)
        job = FolderJob(colorizer, job_options, ColorizeOptions())
        assert all(result.status == COLORED for result in job.run())

    return run


def plain(photos: Path, out: Path, count: int) -> Callable:
    """As a notebook would do it."""
    generator = build_generator("dynamic-unet-resnet18").eval()

    @torch.no_grad()
    def run() -> None:
        for file in sorted(photos.iterdir())[:count]:
            rgb = np.asarray(Image.open(file).convert("RGB"))
            lab = sk_color.rgb2lab(rgb)
            L = torch.from_numpy(lab[..., :1].transpose(2, 0, 1)).float()[None] / 50 - 1
            scale = 256 / min(L.shape[2:])
            size = [round(s * scale / 32) * 32 for s in L.shape[2:]]
            ab = generator(F.interpolate(L, size, mode="bilinear", antialias=True))
            ab = F.interpolate(ab, L.shape[2:], mode="bilinear")[0].permute(1, 2, 0).numpy()
            lab[..., 1:] = ab * 110
            picture = (sk_color.lab2rgb(lab) * 255).round().astype(np.uint8)
            Image.fromarray(picture).save(out / file.name, quality=DEFAULT_QUALITY)

    return run


def seconds(run: Callable) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fidelity(photos: Path, out: Path, colorizer: Colorizer) -> tuple[float, float]:
    """Mean |ΔL*| and its 99.9th percentile before file encoding, over some of the photos."""
    moved = []
    for file in sorted(photos.iterdir())[::7]:
        pixels = torch.from_numpy(np.array(colorizer.colorize(file))).permute(2, 0, 1)[None]
        L = (lightness(np.asarray(Image.open(file))) + 1) * 50
        for top in range(0, L.shape[0], 512):
            made = rgb_to_lab(pixels[:, :, top : top + 512])[0, 0].numpy()
            moved.append(np.abs(made - L[top : top + 512]).ravel())
    all_moved = np.concatenate(moved)
    return float(all_moved.mean()), float(np.quantile(all_moved, 0.999))


def measure(sources: list[Image.Image], rounds: int) -> dict:
    models = {"pix2color": coloring_model("default"), "torch": starting_model("default")}
    colorizer, by_torch = (Colorizer.load(model) for model in models.values())
    result: dict = {
        "workers": cores(),
        "start_up_seconds": {name: start_up(model, sources) for name, model in models.items()},
        "preview_seconds": preview(colorizer, sources[0]),
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, (pixels, count) in SIZES.items():
            photos, out, again = (place / f"{kind}-{pixels}" for kind in ("in", "out", "floor"))
            again.mkdir()
            make(photos, sources, pixels, count)
            run_ours, run_torch = (ours(photos, out, c) for c in (colorizer, by_torch))
            run_torch()  # warm
            run_ours()
            colored = {f.name: Image.open(f).convert("RGB") for f in out.glob("*.jpg")}
            run_floor = floor(photos, colored, again, colorizer)
            run_floor()
            runs = {"floor": run_floor, "pix2color": run_ours, "torch": run_torch}
            times = [{name: seconds(run) for name, run in runs.items()} for _ in range(rounds)]
            few = 2 if pixels > 5e6 else 8
            run_plain = plain(photos, again, few)
            per_picture = {name: statistics.median(t[name] for t in times) / count for name in runs}
            per_picture["plain"] = seconds(run_plain) / few
            mean, tail = fidelity(photos, out, colorizer)
            result[name] = {
                "pictures": count,
                "seconds_per_picture": per_picture,
                "to_floor": per_picture["pix2color"] / per_picture["floor"],
                "to_torch": per_picture["pix2color"] / per_picture["torch"],
                "faster_than_plain": per_picture["plain"] / per_picture["pix2color"],
                "delta_l_mean": mean,
                "delta_l_99.9": tail,
            }
    return result


def start_up(model: Path, sources: list[Image.Image]) -> float:
    """From starting the command to its first picture, in seconds: the median of five times."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        make(photos, sources, 1_000_000, 1)
        command = [sys.executable, "-m", "pix2color", "colorize", photos, "--model", model]
        times = [
            seconds(
                lambda out=Path(folder) / str(i): subprocess.run(
                    [*command, "--out", out], check=True, capture_output=True
                )
            )
            for i in range(6)
        ]
        return statistics.median(times[1:])  # the first warms the disk's cache


def preview(colorizer: Colorizer, source: Image.Image) -> float:
    """Seconds to colour a picture of 12 megapixels in memory with a hint: the median of five."""
    gray = np.asarray(source.resize((4000, 3000), Image.Resampling.BICUBIC))
    times = [
        seconds(lambda i=i: colorizer.colorize(gray, hints=[Hint(1000 + i, 900, "teal")]))
        for i in range(6)
    ]
    return statistics.median(times[1:])


def memory(sources: list[Image.Image]) -> dict:
    """Peak memory of the command in GiB: one large picture, few pictures, many."""
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, pixels, count in (
            ("100 pictures of 1 MP", 1_000_000, 100),
            ("1,000 pictures of 1 MP", 1_000_000, 1000),
            ("1 picture of 100 MP", 100_000_000, 1),
        ):  # the largest last: the system tells the highest peak so far
            photos = place / name
            make(photos, sources, pixels, count)
            command = [sys.executable, "-m", "pix2color", "colorize", photos]
            subprocess.run([*command, "--out", place / f"out {name}"], check=True)
            result[name] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="folder to make the pictures from")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure peak memory instead")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sources = photographs(options.photos)
    result = memory(sources) if options.memory else measure(sources, options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
    elif options.memory:
        for name, peak in result.items():
            print(f"{name:24} {peak:.2f} GiB")
    else:
        started = {way: f"{taken:.2f} s" for way, taken in result["start_up_seconds"].items()}
        print(f"from start to first picture {started['pix2color']}, by torch {started['torch']}")
        print(f"preview {1000 * result['preview_seconds']:.0f} ms; {result['workers']} threads")
        ways = ("floor", "pix2color", "torch", "plain")
        ratios = ("to floor", "to torch", "to plain", "|ΔL*|", "99.9 %")
        print(" " * 6 + "".join(f"{way:>12}" for way in ways) + "".join(f"{r:>10}" for r in ratios))
        for name in SIZES:
            row = result[name]
            ms = (f"{1000 * row['seconds_per_picture'][way]:9.1f} ms" for way in ways)
            print(f"{name:6}" + "".join(ms) + f"{row['to_floor']:9.2f}×{row['to_torch']:9.2f}×"
                  f"{row['faster_than_plain']:9.0f}×{row['delta_l_mean']:10.2f}"
                  f"{row['delta_l_99.9']:10.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
