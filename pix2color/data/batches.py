"""Batches whose content depends on (seed, epoch, index) alone.

The batch of a step is therefore the same whatever the number of workers and however often a
run was stopped: a checkpoint needs to remember the step and nothing else.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from pix2color.config.sections import DataConfig, HintsConfig
from pix2color.data.hints import training_hints
from pix2color.data.prepared import StoredPhoto
from pix2color.data.reading_processes import started
from pix2color.data.sources import Photo, protocol_square, training_square
from pix2color.errors import DataError, ImageError, OwnColorsError
from pix2color.processes import cores

_RANDOM_ATTEMPTS = 8
_HINTS = 2**32  # tells their random numbers from those of the attempts


@dataclass
class Sample:
    """One training picture.

    Attributes:
        pixels: uint8 (3, S, S); None if no usable photo could be found.
        left_out: reason by path of the photos passed over on the way to it.
        photo: number of the photo that the picture is of.
        label: class of that photo, if photos have classes.
        regions: uint8 (S, S), numbers of its hints, if it has any; see ``data.hints``.
    """

    pixels: Tensor | None
    left_out: dict[str, str]
    photo: int
    label: int | None = None
    regions: Tensor | None = None


@dataclass
class Batch:
    """Pictures, and their classes and hints if they have any.

    Attributes:
        pixels: uint8 (N, 3, S, S); empty if no usable photo could be found.
        left_out: reason by path of the photos left out while making it.
        labels: int64 (N,), the class of each picture, or None.
        regions: uint8 (N, S, S), where the hints of each are (see ``data.hints``), or None.
    """

    pixels: Tensor
    left_out: dict[str, str] = field(default_factory=dict)
    labels: Tensor | None = None
    regions: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def pin_memory(self) -> Batch:
        """Return a copy in page-locked memory, which a GPU reads faster."""
        labels, regions = (
            None if given is None else given.pin_memory() for given in (self.labels, self.regions)
        )
        return Batch(self.pixels.pin_memory(), self.left_out, labels, regions)

    def to(self, device: torch.device, layout: torch.memory_format | None = None) -> Batch:
        """Return the batch on a device, its pixels in a memory layout if one is given."""
        pixels = self.pixels.to(device, non_blocking=True)
        if layout is not None:
            pixels = pixels.contiguous(memory_format=layout)
        labels, regions = (
            None if given is None else given.to(device, non_blocking=True)
            for given in (self.labels, self.regions)
        )
        return Batch(pixels, self.left_out, labels, regions)


class TrainingPhotos(Dataset[Sample]):
    """Random squares of photos, indexed by (epoch, position in the epoch, photo).

    A photo that is gray or cannot be read is replaced by another, drawn by the same rule, so
    that batches keep their size and the run stays reproducible.

    Args:
        photos: to be cut from.
        config: how.
        seed: decides everything that is random.
        hints: simulate hints; None: there are none.
    """

    def __init__(
        self, photos: list[Photo], config: DataConfig, seed: int, hints: HintsConfig | None = None
    ) -> None:
        self.photos = photos
        self.config = config
        self.seed = seed
        self.hints = hints
        self._useless: dict[int, str] = {}  # saves reading such a photo again
        self._useful: set[int] = set()  # and looking for colour again in such a one

    def __getitem__(self, place: tuple[int, int, int]) -> Sample:
        epoch, position, photo = place
        left_out: dict[str, str] = {}
        for attempt in range(_RANDOM_ATTEMPTS + len(self.photos)):
            # A generator for each attempt: what is known already must not shift the numbers.
            random = np.random.default_rng((self.seed, epoch, position, attempt))
            if 0 < attempt < _RANDOM_ATTEMPTS:
                photo = int(random.integers(len(self.photos)))
            elif attempt:  # hardly any is usable: look at each of them
                photo = (photo + 1) % len(self.photos)
            pixels = self._square(photo, random, self.config.crop_in(epoch))
            if pixels is not None:
                return Sample(pixels, left_out, photo, regions=self._regions(epoch, position))
            left_out[str(self.photos[photo].path)] = self._useless[photo]
        return Sample(None, left_out, photo)

    def _regions(self, epoch: int, position: int) -> Tensor | None:
        if self.hints is None:
            return None
        random = np.random.default_rng((self.seed, epoch, position, _HINTS))
        side = self.config.crop_in(epoch)
        if random.random() >= self.hints.share:
            return torch.zeros(side, side, dtype=torch.uint8)
        return torch.from_numpy(training_hints(random, side))

    def _square(self, photo: int, random: np.random.Generator, side: int) -> Tensor | None:
        if photo in self._useless:
            return None
        config = self.config
        try:
            square = training_square(
                self.photos[photo],
                random,
                side=side,
                min_side=round(config.largest_crop / config.min_scale),
                shape=config.shape,
                min_scale=config.min_scale,
                flip=config.flip,
                min_colorfulness=0 if photo in self._useful else config.min_colorfulness,
            )
        except (DataError, ImageError) as error:
            broken = "coloured by pix2color" if isinstance(error, OwnColorsError) else "broken"
            self._useless[photo] = "gray" if isinstance(error, DataError) else broken
            return None
        self._useful.add(photo)
        return torch.from_numpy(square)


class EpochOrder(Sampler[list[tuple[int, int, int]]]):
    """Endless batches of (epoch, position, photo), from any step on, for one of several processes.

    Each epoch is a fresh permutation. What is left of it after the last whole global batch is
    dropped, which concerns other photos every time; nothing is doubled. The global batch of a
    step is the same for 1 process with batch size k·B, for k processes with B, and for 1 process
    that accumulates k batches of B.

    Args:
        photos: how many there are.
        batch_size: pictures in a batch.
        seed: decides the permutations.
        first_step: optimizer step to begin with.
        rank: of this process.
        processes: that train together.
        accumulate: batches of each process that make one optimizer step.
    """

    def __init__(
        self,
        photos: int,
        batch_size: int,
        *,
        seed: int,
        first_step: int = 0,
        rank: int = 0,
        processes: int = 1,
        accumulate: int = 1,
    ) -> None:
        self.photos, self.batch_size = photos, batch_size
        self.seed, self.first_step = seed, first_step
        self.rank, self.processes, self.accumulate = rank, processes, accumulate

    @property
    def pictures_per_step(self) -> int:
        """Pictures of all processes and all batches that make one optimizer step."""
        return self.batch_size * self.processes * self.accumulate

    @property
    def steps_per_epoch(self) -> int:
        return max(1, self.photos // self.pictures_per_step)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for epoch in itertools.count(self.first_step // self.steps_per_epoch):
            generator = torch.Generator().manual_seed(_mixed(self.seed, epoch))
            order = torch.randperm(self.photos, generator=generator).tolist()
            # Fewer photos than a step takes: go round again.
            order *= -(-self.pictures_per_step // len(order))
            skipped = max(0, self.first_step - epoch * self.steps_per_epoch)
            for batch in range(skipped * self.accumulate, self.steps_per_epoch * self.accumulate):
                start = (batch * self.processes + self.rank) * self.batch_size
                yield [(epoch, p, order[p]) for p in range(start, start + self.batch_size)]


def endless_batches(
    dataset: TrainingPhotos, order: EpochOrder, *, workers: int, pin_memory: bool
) -> Generator[Batch, None, None]:
    """Yield batches without end in the order given; closing it ends the processes that read.

    Raises:
        DataError: hardly any photo is of use.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_leave_signals,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
    )
    for batch in started(loader):
        if not len(batch.pixels):
            raise DataError(
                f"all {len(batch.left_out)} photos are gray or cannot be read, such as "
                f"{next(iter(batch.left_out))}; train on colour photos"
            )
        yield batch


def evaluation_batches(
    photos: list[Photo], *, size: int, batch_size: int, workers: int = 0
) -> Iterator[tuple[Tensor, list[Path]]]:
    """Yield protocol squares, uint8 (N, 3, size, size), with their paths, in the order given.

    Photos that are gray or cannot be read are passed over.
    """
    loader = DataLoader(
        _Squares(photos, size), batch_size=batch_size, num_workers=workers, collate_fn=list
    )
    for samples in loader:
        usable = [(square, path) for square, path in samples if square is not None]
        if usable:
            yield torch.stack([square for square, _ in usable]), [path for _, path in usable]


def default_workers(photos: Sequence[Photo], device: torch.device) -> int:
    """Return how many processes read the photos by default.

    A GPU must be fed. A CPU that trains has little time to spare: processes of their own pay
    for decoding files, but cost more than they bring for pictures that are decoded already.
    """
    if device.type != "cpu":
        return min(8, cores())
    return 0 if all(isinstance(photo, StoredPhoto) for photo in photos) else min(2, cores())


class _Squares(Dataset[tuple[Tensor | None, Path]]):
    def __init__(self, photos: list[Photo], size: int) -> None:
        self.photos, self.size = photos, size

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor | None, Path]:
        try:
            square = protocol_square(self.photos[index], self.size)
        except ImageError:
            square = None
        path = self.photos[index].path
        return (None if square is None else torch.from_numpy(square)), path


def _collate(samples: list[Sample]) -> Batch:
    left_out: dict[str, str] = {}
    for sample in samples:
        left_out |= sample.left_out
    pixels = [s.pixels for s in samples if s.pixels is not None]
    complete = len(pixels) == len(samples)
    if not complete:
        return Batch(torch.empty(0), left_out)
    labels = [s.label for s in samples if s.label is not None]
    regions = [s.regions for s in samples if s.regions is not None]
    batch = Batch(
        torch.stack(pixels),
        left_out,
        torch.tensor(labels) if labels else None,
        torch.stack(regions) if regions else None,
    )
    if get_worker_info() is not None:
        # Later, on its way to the process that trains, want of memory would pass unnoticed.
        for tensor in (batch.pixels, batch.labels, batch.regions):
            if tensor is not None:
                tensor.share_memory_()
    return batch


def _leave_signals(worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM, which often reach every process: the one that trains decides."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _mixed(*numbers: int) -> int:
    """Return one seed made of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
