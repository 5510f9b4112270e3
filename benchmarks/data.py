"""Speed of the loader: does training ever wait for its photos?

    python benchmarks/data.py                    # photographs inside scikit-image, many times
    python benchmarks/data.py --photos PHOTOS    # from other photos
    python benchmarks/data.py --workers 8        # beside a GPU

Each way to keep photos gives the batches of the default recipe. A row's figures are the size of a
picture; how many a second ``prepare`` makes on all cores; the CPU time for a training picture in
one process; the pictures that the loader delivers when nothing else runs; and the speed of the
whole training loop as a share of the bare step's, which gets the same pixels over and over, just
before. Rounds are interleaved, and a figure is the median of them. The plain way is that of most
tutorials: Pillow, scikit-image's Lab, float32, all in the worker.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import color as sk_color
from skimage import data
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pix2color.config.load import load_recipe
from pix2color.config.schema import DataConfig
from pix2color.data.batches import (
    Batch,
    EpochOrder,
    TrainingPhotos,
    default_workers,
    endless_batches,
)
from pix2color.data.prepare import Preparation, prepare
from pix2color.data.sources import Photo, collect
from pix2color.models.registry import build_generator
from pix2color.training.engine import Budget, Engine, make_accelerator
from pix2color.training.tasks import build_task

COPIES = 250  # of each photograph inside scikit-image, all different
COUNTED = 300  # pictures for the CPU time of one
WARMUP_STEPS = 3


class Plain(Dataset[tuple[Tensor, Tensor]]):
    """L and ab, float32, as a notebook makes them."""

    def __init__(self, photos: list[Photo], side: int) -> None:
        self.photos, self.side = photos, side

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture = Image.open(self.photos[index].path).convert("RGB")
        picture = picture.resize((self.side, self.side), Image.Resampling.BICUBIC)
        lab = torch.from_numpy(sk_color.rgb2lab(np.asarray(picture)).astype("float32"))
        lab = lab.permute(2, 0, 1)
        return lab[:1] / 50 - 1, lab[1:] / 110


def make_photos(folder: Path) -> None:
    """JPEG files of 500 pixels' short side, all different."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        picture = Image.fromarray(getattr(data, name)())
        for i in range(COPIES):
            left, top = random.uniform(0, 0.3, 2) * picture.size
            box = (left, top, left + 0.7 * picture.width, top + 0.7 * picture.height)
            scale = 500 / (0.7 * min(picture.size))
            size = (round(0.7 * picture.width * scale), round(0.7 * picture.height * scale))
            crop = picture.resize(size, Image.Resampling.BICUBIC, box=tuple(box))
            crop.save(folder / f"{name}-{i:03d}.jpg", quality=90)


def ours(photos: list[Photo], config: DataConfig, workers: int) -> Iterator[object]:
    order = EpochOrder(len(photos), config.batch_size, seed=0)
    return endless_batches(
        TrainingPhotos(photos, config, 0), order, workers=workers, pin_memory=False
    )


def plain(photos: list[Photo], config: DataConfig, workers: int) -> Iterator[object]:
    loader = DataLoader(
        Plain(photos, config.crop),
        batch_size=config.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


def cpu_seconds(dataset: Dataset, keys: list) -> float:
    """For a picture, in this process."""
    dataset[keys[0]]
    start = time.process_time()
    for key in keys:
        dataset[key]
    return (time.process_time() - start) / len(keys)


def rate(batches: Iterator[object], engine: Engine | None, pixels: Tensor, steps: int) -> float:
    """Pictures a second; each batch is followed by a step on ``pixels`` if there is an engine."""
    for step in range(WARMUP_STEPS + steps):
        if step == WARMUP_STEPS:
            _wait(engine)
            start = time.perf_counter()
        next(batches)
        if engine:
            engine.step(Batch(pixels))
    _wait(engine)
    return steps * len(pixels) / (time.perf_counter() - start)


def _wait(engine: Engine | None) -> None:
    if engine and engine.device.type == "cuda":
        torch.cuda.synchronize()


@dataclass
class Kept:
    """Photos, kept in one way."""

    photos: list[Photo]
    bytes: float
    made_per_second: float | None = None


def keep(photos: Path | None, folder: Path) -> dict[str, Kept]:
    """The same photos in each way."""
    if photos is None:
        photos = folder / "photos"
        make_photos(photos)
    files = collect([photos])
    size = statistics.fmean(photo.path.stat().st_size for photo in files)
    kept = {"folder": Kept(files, size)}
    for name, shards in (("prepared", False), ("shards", True)):
        start = time.perf_counter()
        prepare([photos], folder / name, Preparation(shards=shards))
        rate = len(files) / (time.perf_counter() - start)
        found = collect([folder / name])
        whole = sum(file.stat().st_size for file in (folder / name).iterdir())
        kept[name] = Kept(found, whole / len(found), rate)
    return kept | {"plain": kept["folder"]}


def cpu_ms(name: str, photos: list[Photo], config: DataConfig) -> float:
    torch.set_num_threads(1)
    places = range(min(COUNTED, len(photos)))
    if name == "plain":
        return 1000 * cpu_seconds(Plain(photos, config.crop), list(places))
    return 1000 * cpu_seconds(TrainingPhotos(photos, config, 0), [(0, i, i) for i in places])


def measure(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    sizes = [f"data.crop={options.crop}", f"data.batch_size={options.batch}"]
    recipe = load_recipe("pretrain", None, sizes)
    task = build_task(recipe, build_generator(recipe.model.name))
    engine = Engine(task, make_accelerator(), Budget(steps=10**6), recipe)
    kept, config, steps = keep(options.photos, folder), recipe.data, options.steps
    workers = {
        name: default_workers(way.photos, engine.device)
        if options.workers is None
        else options.workers
        for name, way in kept.items()
    }
    pixels = torch.randint(0, 256, (options.batch, 3, options.crop, options.crop)).byte()
    rounds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in kept}
    for _ in range(options.rounds):
        for name, way in kept.items():
            photos = way.photos
            batches = plain if name == "plain" else ours
            bare = rate(itertools.repeat(None), engine, pixels, steps)
            alone = rate(batches(photos, config, workers[name]), None, pixels, 2 * steps)
            loop = rate(batches(photos, config, workers[name]), engine, pixels, steps)
            rounds[name].append((alone, loop / bare, bare))
    rows = []
    for name, way in kept.items():
        alone, share, bare = map(statistics.median, zip(*rounds[name], strict=True))
        rows.append(
            {
                "photos": name,
                "bytes": way.bytes,
                "made_per_second": way.made_per_second,
                "workers": workers[name],
                "cpu_ms": cpu_ms(name, way.photos, config),
                "pictures_per_second": alone,
                "bare_pictures_per_second": bare,
                "share_of_bare_step": share,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="folder of colour photos")
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, help="default: as in training")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    bare = rows[0]["bare_pictures_per_second"]
    print(f"{options.crop}², batch {options.batch}; bare step: {bare:.1f}/s")
    print(f"{'photos':<10}{'size':>8}{'made':>8}{'CPU a picture':>15}{'to plain':>10}", end="")
    print(f"{'workers':>9}", end="")
    print(f"{'loader alone':>15}{'loop':>9}")
    for row in rows:
        ratio = rows[-1]["cpu_ms"] / row["cpu_ms"]
        made = f"{row['made_per_second']:.0f}/s" if row["made_per_second"] else ""
        print(
            f"{row['photos']:<10}{row['bytes'] / 1000:>5.0f} KB{made:>8}"
            f"{row['cpu_ms']:>12.2f} ms{ratio:>9.1f}×{row['workers']:>9}"
            f"{row['pictures_per_second']:>13.0f}/s{100 * row['share_of_bare_step']:>7.1f} %"
        )


if __name__ == "__main__":
    main()
