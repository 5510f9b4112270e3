"""The training loop that all tasks share.

It turns a task's phases into optimizer steps and knows nothing of colour or of adversaries.
Device, mixed precision and distributed training are Hugging Face Accelerate's.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from torch import Tensor, nn

from pix2color.config.schema import EngineConfig
from pix2color.data.batches import Batch
from pix2color.errors import ConfigError
from pix2color.models.precision import computes_in_bf16
from pix2color.processes import keep_freed_memory
from pix2color.training.compiling import compile_networks
from pix2color.training.ema import ExponentialMovingAverage
from pix2color.training.non_finite import Statistics, step_if
from pix2color.training.schedule import Schedule
from pix2color.training.task import Phase, Task, Validation

SKIPPED = "steps/skipped"
"""Curve of the steps that were skipped because a gradient was not finite."""


@dataclass(frozen=True)
class Budget:
    """The length of a training: ``steps`` or, if those are None, ``seconds`` by the clock."""

    steps: int | None = None
    seconds: float = math.inf


class Engine:
    """The loop that trains a task's networks, step by step.

    Everything random within a step is seeded by (seed, process, step), so that a run that goes
    on from ``state_dict`` is the same run.

    Args:
        task: what is learned; its networks are moved to the device and prepared here.
        accelerator: from ``make_accelerator``.
        budget: when to stop, which the schedule follows.
        config: seed, schedule, clipping, accumulation, averaging, memory layout and compiling.
    """

    def __init__(
        self, task: Task, accelerator: Accelerator, budget: Budget, config: EngineConfig
    ) -> None:
        self.task, self.accelerator, self.budget, self.config = task, accelerator, budget, config
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        for module in task.modules.values():
            module.to(accelerator.device).to(memory_format=self.layout)  # type: ignore[call-overload]
        exported = task.modules[task.exported]
        self.ema = None if config.ema is None else ExponentialMovingAverage(exported, config.ema)
        for phase in task.phases:
            module = task.modules[phase.name]
            prepared = self.accelerator.prepare(module, phase.optimizer)
            task.modules[phase.name], phase.optimizer = prepared
        self._top_rates = {
            phase.name: [group["lr"] for group in phase.optimizer.param_groups]
            for phase in task.phases
        }
        task.train_mode()
        networks = [task.plain(name) for name in task.modules]
        self._statistics = Statistics(networks)
        if config.compile:
            compile_networks(networks, self.device)
        self.schedule = Schedule(config.schedule)
        self.step_number = 0
        self.spent = 0.0  # seconds, those of the processes before a resume included
        self._since = time.monotonic()

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    def fit(
        self,
        batches: Iterator[Batch],
        after_step: Callable[[list[Batch], dict[str, Tensor]], None],
        stopped: Callable[[int], bool] = lambda step: False,
    ) -> None:
        """Train until the budget is spent, or ``stopped`` says so of a step.

        ``after_step`` gets the batches of each step and its curves.
        """
        self._since = time.monotonic() - self.spent
        while self.progress() < 1 and not stopped(self.step_number):
            taken = list(itertools.islice(batches, self.config.accumulate))
            after_step(taken, self.step(*taken))
            self.schedule.agree(self.accelerator)
        self.accelerator.wait_for_everyone()

    @torch.compiler.set_stance("force_eager")  # not compiled
    def try_out(self, batch: Batch) -> None:
        """Run every network and loss once on a batch, without learning.

        Raises:
            ConfigError: the networks do not fit each other or the size of the pictures.
        """
        for module in self.task.modules.values():
            module.eval()
        try:
            with torch.no_grad():
                state = self.task.forward(batch.to(self.device), set())
                for phase in self.task.phases:
                    self.task.losses(phase.name, state)
        except RuntimeError as error:
            size = " x ".join(map(str, batch.pixels.shape[2:]))
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"the networks do not fit pictures of {size}; give a larger data.crop, "
                f"or correct their options ({reason})"
            ) from error
        self.task.train_mode()

    def progress(self) -> float:
        """Return the share of the budget that is spent, at least 1 at the end; processes agree.

        With several processes and a budget of minutes they wait for the first one's clock.
        """
        self.spent = time.monotonic() - self._since
        if self.budget.steps is None and self.accelerator.num_processes > 1:
            clock = torch.tensor([self.spent], dtype=torch.float64, device=self.device)
            self.spent = broadcast(clock).item()
        return self.spent_share()

    def spent_share(self) -> float:
        """Return the share of the budget that was spent at the last call of ``progress``."""
        if self.budget.steps is not None:
            return self.step_number / self.budget.steps
        return self.spent / self.budget.seconds

    def step(self, *batches: Batch) -> dict[str, Tensor]:
        """Take one turn of every phase that has begun.

        Several batches of one size make one step: its gradients and curves are the means over
        them, which for losses that are means are those of one batch of the whole size; but
        BatchNorm sees each by itself unless it is frozen, and spectral norm moves on with every
        pass. All phases see the same batches: one goes through the networks once for them all,
        several once for each phase, so that one at a time is in memory.

        Returns:
            Curves by name, detached scalars still on the device.
        """
        progress = self.spent_share()
        statistics = self._statistics.now()
        phases = [p for p in self.task.phases if self.step_number >= p.first_step]
        names = {phase.name for phase in phases}
        self.let_learn(names)
        shared = self._state(batches[0], 0, names) if len(batches) == 1 else None
        curves: dict[str, Tensor] = {}
        for phase in phases:
            self.let_learn({phase.name})
            losses = self._accumulate(phase, batches, shared)
            curves |= self._turn(phase, losses, progress)
        norms = [curves[f"{phase.name}/gradient_norm"] for phase in phases]
        finite = torch.stack(norms).isfinite().all()
        self._statistics.restore_unless(finite, statistics)
        if self.ema and self.task.exported in names:
            self.ema.update(self.task.plain(self.task.exported))
        self.step_number += 1
        return curves | {SKIPPED: (~finite).float()}

    def _state(self, batch: Batch, place: int, learning: set[str]) -> Any:
        """Return the task's forward pass on the batch at ``place`` of the step."""
        torch.manual_seed(self._seed(place))
        return self.task.forward(batch.to(self.device, self.layout), learning)

    def _accumulate(
        self, phase: Phase, batches: tuple[Batch, ...], shared: Any
    ) -> dict[str, Tensor]:
        """Leave the batches' mean gradient in the phase's network, and return their mean curves."""
        network = self.task.modules[phase.name]
        phase.optimizer.zero_grad()
        curves: list[dict[str, Tensor]] = []
        for place, batch in enumerate(batches):
            last = place == len(batches) - 1  # processes exchange gradients once
            with contextlib.nullcontext() if last else self.accelerator.no_sync(network):
                state = self._state(batch, place, {phase.name}) if shared is None else shared
                losses = self.task.losses(phase.name, state)
                self.accelerator.backward(losses.total / len(batches))
            curves.append(losses.curves)
        return {name: torch.stack([c[name] for c in curves]).mean() for name in curves[0]}

    def _turn(self, phase: Phase, curves: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        """Clip the gradient, set the scheduled learning rate and take the optimizer's step."""
        norm = self._clip_gradient(self.task.modules[phase.name])
        factor = self.schedule.factor(progress, self.step_number - phase.first_step)
        groups = phase.optimizer.param_groups
        for group, top in zip(groups, self._top_rates[phase.name], strict=True):
            group["lr"] = top * factor
        step_if(norm.isfinite(), phase.optimizer)
        curves |= {"gradient_norm": norm, "learning_rate": torch.tensor(group["lr"])}
        return {f"{phase.name}/{name}": value for name, value in curves.items()}

    def _clip_gradient(self, network: nn.Module) -> Tensor:
        """Return the gradient's norm as it was, and clip it if there is a limit."""
        if self.config.clip:
            return self.accelerator.clip_grad_norm_(network.parameters(), self.config.clip)
        return nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])

    def let_learn(self, names: set[str]) -> None:
        for name, module in self.task.modules.items():
            module.requires_grad_(name in names)

    def _seed(self, place: int) -> int:
        origin = (self.config.seed, self.accelerator.process_index, self.step_number, place)
        return int(np.random.SeedSequence(origin).generate_state(1, np.uint64)[0] >> 1)

    @property
    def exported(self) -> nn.Module:
        """The network for use: the averaged one if the weights are averaged."""
        return self.ema.module if self.ema else self.task.plain(self.task.exported)

    def exported_from(self, state: dict[str, Any]) -> nn.Module:
        """Return the network for use as it was in an earlier ``state_dict``."""
        network = copy.deepcopy(self.exported)
        values = state["ema"]["module"] if self.ema else state["modules"][self.task.exported]
        network.load_state_dict(values)
        return network

    @torch.compiler.set_stance("force_eager")  # not compiled
    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Return the exported network's output, float32, as in training but in eval mode."""
        network = self.exported.eval()
        with self.accelerator.autocast():
            return network(x.contiguous(memory_format=self.layout)).float()

    def validate(self, batch: Batch) -> Validation:
        """Return the task's validation of the exported network on a batch of any size."""
        with torch.no_grad():
            result = self.task.validate(self.predict, batch.to(self.device))
        self.schedule.judged(result.loss)
        self.task.train_mode()
        return result

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values that ``load_state_dict`` goes on from."""
        return {
            "step": self.step_number,
            "spent": self.spent,
            "modules": {name: self.task.plain(name).state_dict() for name in self.task.modules},
            "optimizers": {p.name: p.optimizer.state_dict() for p in self.task.phases},
            "ema": self.ema.state_dict() if self.ema else None,
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from another engine's ``state_dict`` of the same task and settings."""
        self.step_number, self.spent = state["step"], state["spent"]
        for name, values in state["modules"].items():
            self.task.plain(name).load_state_dict(values)
        for phase in self.task.phases:
            phase.optimizer.load_state_dict(state["optimizers"][phase.name])
        if self.ema:
            self.ema.load_state_dict(state["ema"])
        self.schedule.load_state_dict(state["schedule"])


def device_type(device: str) -> str:
    """Return torch's name for the kind of device that ``auto`` or ``cpu`` means here."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if device == "cpu" or found is None else found.type


def make_accelerator(device: str = "auto", precision: str = "auto") -> Accelerator:
    """Return the accelerator for a device and a precision.

    Args:
        device: ``auto`` or ``cpu``.
        precision: ``auto`` (bf16 where it is computed in hardware), ``bf16`` or ``float32``.
    """
    kind = device_type(device)
    if precision == "auto":
        precision = "bf16" if computes_in_bf16(kind) else "float32"
    # Accelerate keeps one precision a process. A state of its own for each lets networks of
    # different precision be trained one after another, or in turns.
    AcceleratorState._shared_state = {}
    if kind == "cpu":
        keep_freed_memory()
    return Accelerator(cpu=kind == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")
