"""Speed of a training step, as ratios to the well-known tutorial's step in the same run.

    python benchmarks/train_step.py [--size 256] [--batch 8] [--steps 5] [--json]

Every row is a recipe, run by the engine that trains it, on the same random pixels; photos are
not read. A row's figure is the median of its steps, after one that is not counted. The tutorial's
rows have its network, precision, losses and optimizer, as published.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from pix2color.config import load_recipe
from pix2color.models import build_generator
from pix2color.training.engine import Budget, Engine, make_accelerator
from pix2color.training.run import build_task

CONFIGS = Path(__file__).parent.parent / "configs"
WARMUP_STEPS = 1

# Name, task, recipe, settings, and the row that it is compared with.
ROWS = (
    ("tutorial pretrain", "pretrain", "tutorial-pretrain", [], "tutorial pretrain"),
    ("ours pretrain", "pretrain", "pretrain", ["precision=bf16"], "tutorial pretrain"),
    ("tutorial GAN", "train-gan", "tutorial-gan", [], "tutorial GAN"),
    ("ours GAN, D at half", "train-gan", "gan", ["precision=bf16"], "tutorial GAN"),
    (
        "ours GAN, D at full",
        "train-gan",
        "gan",
        ["precision=bf16", "discriminator.resolution=full"],
        "tutorial GAN",
    ),
)


def build(task: str, recipe_name: str, settings: list[str]) -> Engine:
    recipe = load_recipe(task, CONFIGS / f"{recipe_name}.yaml", settings)
    if recipe_name == "tutorial-gan":  # stage two takes its network from stage one
        recipe.model.name = "dynamic-unet-resnet18"
    if task == "train-gan":
        recipe.critic_warmup_steps = 0  # both networks learn in every step measured
    accelerator = make_accelerator(recipe.device, recipe.precision)
    task = build_task(recipe, build_generator(recipe.model.name))
    return Engine(task, accelerator, Budget(steps=10**6), recipe)


def seconds(engine: Engine, pixels: torch.Tensor) -> float:
    start = time.perf_counter()
    engine.step(pixels)
    if engine.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(size: int, batch: int, steps: int) -> list[dict[str, object]]:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    rate: dict[str, float] = {}
    precision: dict[str, str] = {}
    for name, task, recipe, settings, _ in ROWS:
        engine = build(task, recipe, settings)
        times = [seconds(engine, pixels) for _ in range(WARMUP_STEPS + steps)][WARMUP_STEPS:]
        rate[name] = batch / statistics.median(times)
        precision[name] = engine.accelerator.mixed_precision.replace("no", "float32")
    return [
        {
            "step": name,
            "precision": precision[name],
            "pictures_per_second": rate[name],
            "reference": reference,
            "ratio": rate[name] / rate[reference],
        }
        for name, *_, reference in ROWS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.size, options.batch, options.steps)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    device = make_accelerator().device
    print(f"{options.size}², batch {options.batch}, {device}, {torch.get_num_threads()} threads")
    print(f"{'step':<22}{'precision':<12}{'pictures/s':>10}{'ratio':>9}")
    for row in rows:
        print(
            f"{row['step']:<22}{row['precision']:<12}{row['pictures_per_second']:>10.2f}"
            f"{row['ratio']:>8.1f}×"
        )


if __name__ == "__main__":
    main()
