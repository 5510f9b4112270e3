"""The learning rate finder, by fastai."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from pix2color.color.lab import rgb_to_l_ab
from pix2color.config.schema import CLASSIFIED, PretrainRecipe
from pix2color.data.batches import Batch, EpochOrder
from pix2color.data.reading_processes import FEWER, reading_processes
from pix2color.errors import DataError, UsageError
from pix2color.files import replacing
from pix2color.losses import l1
from pix2color.models.registry import build_generator
from pix2color.progress import Progress, say, track
from pix2color.training.engine import make_accelerator
from pix2color.training.setup import select_photos, training_batches
from pix2color.training.tasks import build_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class Finding:
    """The suggested rate by method, and the curve that it was read from: rates and L1 losses."""

    suggestions: dict[str, float]
    rates: list[float]
    losses: list[float]


def find_rate(recipe: PretrainRecipe, *, steps: int, out: Path) -> Finding:
    """Suggest learning rates after a mock training with a rising one, on fresh weights.

    The method is L. N. Smith's (2017, arXiv:1506.01186); the loop and the ways to read the
    curve are fastai's.

    Args:
        recipe: network, photos, batches, optimizer, clipping and precision.
        steps: of the mock training, from 1e-7 to 10, or until the loss explodes.
        out: the plot, a PNG. Curve and plot also go to a folder for TensorBoard.

    Raises:
        UsageError: no photos are named, or the folder for TensorBoard exists.
        DataError: the photos are of no use, or the loss exploded at once.
    """
    folder = recipe.runs_dir / (recipe.name or f"lr-find-{time.strftime('%Y%m%d-%H%M%S')}")
    if folder.exists():
        raise UsageError(f"{folder}: exists; choose another --name")
    if not recipe.data.train:
        raise UsageError("no photos to train on; name a folder of colour photos with --data")
    finding = _mock_training(recipe, steps)
    figure = _plot(finding)
    with replacing(out) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": "pix2color"})
    with SummaryWriter(str(folder)) as board:
        for step, (rate, loss) in enumerate(zip(finding.rates, finding.losses, strict=True)):
            board.add_scalar("lr-find/loss", loss, step)
            board.add_scalar("lr-find/learning_rate", rate, step)
        board.add_figure("lr-find", figure)
    say(f"plot: {out}\n  watch:  tensorboard --logdir {folder.parent}")
    return finding


@reading_processes(lambda: FEWER + "start again")
def _mock_training(recipe: PretrainRecipe, steps: int) -> Finding:
    import pix2color.models.torchvision_ops  # noqa: F401  (before fastai, which imports torchvision)

    # isort: split
    from fastai.callback.training import GradientClip
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    torch.manual_seed(recipe.seed)
    model, accelerator = recipe.model, make_accelerator(recipe.device, recipe.precision)
    if model.encoder_weights == CLASSIFIED:
        raise UsageError(
            "lr-find: has no time to train an encoder; make a file with pretrain-encoder and give "
            "its path: --set model.encoder_weights=FILE"
        )
    generator = build_generator(model.name, model.options, encoder_weights=model.encoder_weights)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    generator.to(accelerator.device).to(memory_format=layout)  # type: ignore[call-overload]
    photos, _ = select_photos(recipe)
    order = EpochOrder(len(photos), recipe.data.batch_size, seed=recipe.seed)
    batches = training_batches(photos, recipe, order, accelerator.device)
    with (
        # fastai's learner lives on in reference cycles, and with it the processes that read
        # photos, which Python waits for in vain when it ends.
        contextlib.closing(batches),
        tempfile.TemporaryDirectory() as temporary,
        track("lr-find", steps, "steps") as progress,
    ):
        pairs = _Pairs(batches, accelerator.device, steps, progress)
        learner = Learner(
            DataLoaders(pairs, pairs, device=accelerator.device),
            accelerator.prepare(generator),
            loss_func=l1,
            opt_func=OptimWrapper(opt=build_task(recipe, generator).phases[0].optimizer),
            cbs=[GradientClip(recipe.clip)] if recipe.clip else [],
            path=temporary,  # fastai keeps the weights there meanwhile
        )
        suggestions = _suggested(learner, steps)
        progress(len(learner.recorder.losses))
    rates, losses = learner.recorder.lrs, learner.recorder.losses
    return Finding(suggestions, list(map(float, rates)), list(map(float, losses)))


def _suggested(learner: Any, steps: int) -> dict[str, float]:
    from fastai.callback.schedule import minimum, slide, steep, valley

    try:
        with learner.no_bar():
            found = learner.lr_find(
                num_it=steps, show_plot=False, suggest_funcs=(valley, slide, steep, minimum)
            )
    except (IndexError, ValueError) as error:  # too few points are left to read anything from
        raise DataError(
            "the loss exploded or was no number almost at once; "
            "look at the photos, or give more --steps"
        ) from error
    return {name: float(rate) for name, rate in found._asdict().items()}


class _Pairs:
    """An iterable of L and ab, batch by batch, as fastai's loop wants it: ``steps`` an epoch."""

    def __init__(
        self,
        batches: Iterator[Batch],
        device: torch.device,
        steps: int,
        progress: Progress,
    ) -> None:
        self.batches, self.device, self.steps, self.progress = batches, device, steps, progress

    def __len__(self) -> int:
        return self.steps + 1  # fastai counts from 0 and stops itself

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for step, batch in enumerate(itertools.islice(self.batches, len(self))):
            self.progress(step)
            yield rgb_to_l_ab(batch.pixels.to(self.device))

    def to(self, device: torch.device) -> None:
        """Do nothing: fastai asks for it, and the batches come on the device already."""


def _plot(finding: Finding) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(finding.rates, finding.losses, color="black")
    for number, (name, rate) in enumerate(finding.suggestions.items()):
        axes.axvline(rate, color=f"C{number}", linestyle="--", label=f"{name} {rate:.1e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="L1 of ab, smoothed")
    axes.set_ylim(0.9 * min(finding.losses), 1.5 * finding.losses[0])  # not up to the explosion
    axes.legend()
    return figure
