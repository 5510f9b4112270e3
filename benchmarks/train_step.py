"""Speed of a training step, as ratios to the tutorial's and pix2pix's steps in the same run.

    python benchmarks/train_step.py [--size 128 256] [--batch 4] [--steps 5] [--seconds 5] [--json]

Every row is a recipe, run by the engine that trains it in a process of its own, on the same random
pixels; photos are not read. A row's figure is the median of its steps, at least two, after one
that is not counted. The tutorial's and pix2pix's rows have their networks, precision, losses and
optimizers as published; at 128² that is pix2pix's unet_128, since its unet_256 takes no less.

``share`` is the arithmetic of a step (convolutions and matrix products) as a share of what this
machine does in a large matrix product of the same precision, measured at the end. ``memory`` is
the most that the process held at once, the libraries' own 0.5 GB or so included; on a GPU, of the
GPU's memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from pix2color.config.load import load_recipe
from pix2color.data.batches import Batch
from pix2color.models.registry import build_generator
from pix2color.training.engine import Budget, Engine, make_accelerator
from pix2color.training.tasks import build_task

CONFIGS = Path(__file__).parent.parent / "configs"
LEAST_STEPS = 2
MATRIX = 4096


class Row(NamedTuple):
    """A recipe, and the rows that it is compared with."""

    task: str
    recipe: str
    settings: tuple[str, ...]
    tutorial: str
    pix2pix: str


PRETRAIN = ("tutorial pretrain", "pix2pix pretrain")
GAN = ("tutorial GAN", "pix2pix GAN")
FULL = "discriminator.resolution=full"
ROWS = {
    "tutorial pretrain": Row("pretrain", "baselines/tutorial-l1", (), *PRETRAIN),
    "pix2pix pretrain": Row("pretrain", "baselines/pix2pix-unet256-l1", (), *PRETRAIN),
    "ours pretrain": Row("pretrain", "baselines/ours-l1", (), *PRETRAIN),
    "tutorial GAN": Row("train-gan", "baselines/tutorial-gan", (), *GAN),
    "pix2pix GAN": Row("train-gan", "baselines/pix2pix-unet256-gan", (), *GAN),
    "ours GAN, D at half": Row("train-gan", "baselines/ours-gan", (), *GAN),
    "ours GAN, D at full": Row("train-gan", "baselines/ours-gan", (FULL,), *GAN),
}


def build(row: Row, size: int) -> Engine:
    recipe = load_recipe(row.task, CONFIGS / f"{row.recipe}.yaml", row.settings)
    if row.task == "train-gan":
        # Stage two takes its network from stage one; both learn in every step measured.
        first = load_recipe("pretrain", CONFIGS / f"{row.recipe.replace('gan', 'l1')}.yaml")
        recipe = recipe.model_copy(update={"model": first.model, "critic_warmup_steps": 0})
    name, options = recipe.model.name, dict(recipe.model.options)
    if name == "pix2pix-unet256" and size < 256:
        options["downs"] = 7
    accelerator = make_accelerator(recipe.device, recipe.precision)
    task = build_task(recipe, build_generator(name, options))
    return Engine(task, accelerator, Budget(steps=10**6), recipe)


def seconds(engine: Engine, pixels: torch.Tensor) -> float:
    start = time.perf_counter()
    engine.step(Batch(pixels))
    _wait(engine.device)
    return time.perf_counter() - start


def measure(row: Row, size: int, options: argparse.Namespace) -> dict[str, Any]:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (options.batch, 3, size, size), dtype=torch.uint8)
    engine = build(row, size)
    with FlopCounterMode(display=False) as counter:
        engine.step(Batch(pixels))
    times: list[float] = []
    while len(times) < LEAST_STEPS or (len(times) < options.steps and sum(times) < options.seconds):
        times.append(seconds(engine, pixels))
    return {
        "precision": engine.accelerator.mixed_precision.replace("no", "float32"),
        "pictures_per_second": options.batch / statistics.median(times),
        "gflops_per_picture": counter.get_total_flops() / options.batch / 1e9,
        "memory_gb": _peak_memory(engine.device) / 1e9,
        "steps": len(times),
    }


def peak(precision: str) -> float:
    """FLOP/s of a large matrix product: the fastest of several."""
    device = make_accelerator().device
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a = torch.randn(MATRIX, MATRIX, device=device).to(kind)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        a @ a
        _wait(device)
        times.append(time.perf_counter() - start)
    return 2 * MATRIX**3 / min(times)


def table(options: argparse.Namespace) -> dict[str, Any]:
    by_size = {
        size: {name: _in_a_process_of_its_own(name, size, options) for name in ROWS}
        for size in options.size
    }
    # Only now: a process begins its account of memory with that of the one that started it.
    peaks = {precision: peak(precision) for precision in ("bf16", "float32")}
    rows: list[dict[str, Any]] = []
    for size, found in by_size.items():
        rate = {name: row["pictures_per_second"] for name, row in found.items()}
        for name, row in found.items():
            row["share_of_peak"] = row["gflops_per_picture"] * 1e9 * rate[name]
            row["share_of_peak"] /= peaks[row["precision"]]
            row["ratio_to_tutorial"] = rate[name] / rate[ROWS[name].tutorial]
            row["ratio_to_pix2pix"] = rate[name] / rate[ROWS[name].pix2pix]
            rows.append({"size": size, "step": name, **row})
    return {
        "device": str(make_accelerator().device),
        "threads": torch.get_num_threads(),
        "batch": options.batch,
        "matmul_gflops_per_second": {name: value / 1e9 for name, value in peaks.items()},
        "rows": rows,
    }


def show(result: dict[str, Any]) -> None:
    matmul = ", ".join(f"{k} {v:,.0f}" for k, v in result["matmul_gflops_per_second"].items())
    print(f"{result['device']}, {result['threads']} threads, batch {result['batch']}")
    print(f"matrix product of {MATRIX}²: {matmul} GFLOP/s")
    for size in dict.fromkeys(row["size"] for row in result["rows"]):
        print(f"\n{f'{size}²':<22}{'precision':<10}{'pictures/s':>11}{'tutorial':>10}", end="")
        print(f"{'pix2pix':>9}{'share':>8}{'memory':>9}")
        for row in result["rows"]:
            if row["size"] == size:
                print(
                    f"{row['step']:<22}{row['precision']:<10}{row['pictures_per_second']:>11.2f}"
                    f"{row['ratio_to_tutorial']:>9.1f}×{row['ratio_to_pix2pix']:>8.1f}×"
                    f"{row['share_of_peak']:>8.0%}{row['memory_gb']:>6.2f} GB"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5, help="At most so many are timed.")
    parser.add_argument("--seconds", type=float, default=5, help="No further one after them.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--row", choices=ROWS, help="This row alone, as JSON.")
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(ROWS[options.row], options.size[0], options)))
        return
    result = table(options)
    print(json.dumps(result, indent=2)) if options.json else show(result)


def _in_a_process_of_its_own(name: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Where the peak of its memory is its own."""
    words = ["--row", name, "--size", size, "--batch", options.batch]
    words += ["--steps", options.steps, "--seconds", options.seconds]
    command = [sys.executable, __file__, *map(str, words)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(result.stdout)
    return row


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    main()
