"""The patch critic: a fresh discriminator that tries to tell a model's pictures from true ones.

Its recipe is fixed, so that the figure means the same for every model.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2color.color.lab import rgb_to_l_ab
from pix2color.config.schema import EngineConfig, ScheduleConfig
from pix2color.data.batches import Batch
from pix2color.losses import vanilla
from pix2color.models.registry import build_discriminator
from pix2color.progress import track
from pix2color.training.engine import Budget, Engine, make_accelerator
from pix2color.training.task import Losses, Phase, Task, Validation

MIN_PICTURES = 20
_STEPS, _BATCH, _LEARNING_RATE, _SEED = 200, 8, 2e-4, 0


class PatchCriticTask(Task):
    """The task of telling truths from outputs, both as Lab at half resolution.

    A batch is truths, then outputs.
    """

    exported = "critic"

    def __init__(self) -> None:
        torch.manual_seed(_SEED)
        critic = build_discriminator("patchgan")
        self.modules = {"critic": critic}
        self.phases = [
            Phase("critic", torch.optim.Adam(critic.parameters(), _LEARNING_RATE, (0.5, 0.999)))
        ]

    def forward(self, batch: Batch, learning: set[str]) -> Tensor:
        return self.modules["critic"](critic_input(batch.pixels))

    def losses(self, phase: str, state: Tensor) -> Losses:
        truth, output = state.chunk(2)
        return Losses(vanilla(truth, real=True) + vanilla(output, real=False))

    def train_mode(self) -> None:
        self.modules["critic"].train()

    def validate(self, predict: object, batch: Batch) -> Validation:
        raise NotImplementedError("the critic is scored by verdicts")


def critic_input(pixels: Tensor) -> Tensor:
    """Return L beside ab at half resolution, (N, 3, H/2, W/2), from uint8 (N, 3, H, W)."""
    return F.avg_pool2d(torch.cat(rgb_to_l_ab(pixels), dim=1), 2)


def verdicts(outputs: Tensor, truths: Tensor, label: str = "patch critic") -> Tensor:
    """Train a critic on half of the pictures and let it tell the other half apart.

    Args:
        outputs: uint8 (N, 3, H, W), a model's pictures.
        truths: the true ones, in the same order.
        label: of its progress.

    Returns:
        for each photo of the other half the share of right verdicts on it, as it is and as the
        model has it. The mean is the balanced accuracy: 0.5 where it cannot tell, 1 where it
        always can. Empty for under ``MIN_PICTURES``.
    """
    if len(truths) < MIN_PICTURES:
        return torch.empty(0)
    config = EngineConfig(
        seed=_SEED, ema=None, clip=None, schedule=ScheduleConfig(name="constant", warmup_steps=0)
    )
    with torch.random.fork_rng():
        accelerator = make_accelerator()
        engine = Engine(PatchCriticTask(), accelerator, Budget(steps=_STEPS), config)
        batches = _batches(outputs[::2], truths[::2])
        with track(label, _STEPS, "steps") as progress:
            engine.fit(batches, lambda batch, curves: progress(engine.step_number))
        right = [
            ((_logit(engine, pictures[1::2]) > 0) == real).float()
            for pictures, real in ((truths, True), (outputs, False))
        ]
    return torch.stack(right).mean(0).cpu()


def _batches(outputs: Tensor, truths: Tensor) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(_SEED)
    while True:
        for chosen in torch.randperm(len(truths), generator=generator).split(_BATCH):
            yield Batch(torch.cat([truths[chosen], outputs[chosen]]), {})


def _logit(engine: Engine, pictures: Tensor) -> Tensor:
    """Return the mean logit of each picture's patches, (N,)."""
    batches = (critic_input(batch.to(engine.device)) for batch in pictures.split(_BATCH))
    return torch.cat([engine.predict(batch).mean((1, 2, 3)) for batch in batches])
