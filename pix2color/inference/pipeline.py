"""Reading, working in batches, and writing, overlapped in threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batchable(Protocol):
    """The product of the first stage, which may share a batch with others.

    Attributes:
        group: those of one group may be worked on together.
        weight: how much memory it holds, in any unit.
    """

    @property
    def group(self) -> Hashable: ...

    @property
    def weight(self) -> int: ...


Loaded = TypeVar("Loaded", bound=Batchable)
Processed = TypeVar("Processed")


class Pipeline(Generic[Item, Loaded, Processed, Result]):
    """Runs items through three stages, each in threads of one pool.

    Args:
        load: makes something batchable of an item.
        work: makes, in order, something of each of a batch of one group; if it fails for several,
            it is tried with each alone.
        finish: makes the result of an item, of what was loaded and of what ``work`` has made.
        workers: threads.
        batch: most that are worked on together.
        max_weight: total weight above which no further item is loaded.
        initializer: called once in each thread.
    """

    def __init__(
        self,
        load: Callable[[Item], Loaded],
        work: Callable[[list[Loaded]], list[Processed]],
        finish: Callable[[Item, Loaded, Processed], Result],
        *,
        workers: int,
        batch: int,
        max_weight: int,
        initializer: Callable[[], None],
    ) -> None:
        self.load, self.work, self.finish = load, work, finish
        self.workers, self.batch = workers, batch
        self.max_weight, self.initializer = max_weight, initializer
        # Enough that photos of several shapes each fill their batches.
        self.most_items = 4 * batch + 2 * workers

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result | Exception]]:
        """Yield each item with its result, or with what went wrong, in the order they get done."""
        pool = ThreadPoolExecutor(self.workers, "pix2color", self.initializer)
        try:
            yield from _Run(self, pool).advance_all(iter(items))
        finally:  # also when whoever asked for results stops asking
            pool.shutdown(cancel_futures=True)


class _Run(Generic[Item, Loaded, Processed, Result]):
    """One pass, which knows what is loading, waiting for its batch, being worked on or finished."""

    def __init__(
        self, stages: Pipeline[Item, Loaded, Processed, Result], pool: ThreadPoolExecutor
    ) -> None:
        self.stages, self.pool = stages, pool
        self.done: SimpleQueue[Future] = SimpleQueue()
        self.loading: dict[Future[Loaded], Item] = {}
        self.waiting: dict[Hashable, list[tuple[Item, Loaded]]] = {}
        self.working: dict[Future[list[Processed]], list[tuple[Item, Loaded]]] = {}
        self.finishing: dict[Future[Result], tuple[Item, Loaded]] = {}
        self.items = 0  # that are anywhere between the first stage and the last
        self.held = 0  # their total weight
        self.exhausted = False

    def advance_all(self, items: Iterator[Item]) -> Iterator[tuple[Item, Result | Exception]]:
        while True:
            self._load_more(items)
            if self.waiting and not self.loading:  # no more will come for these batches
                self._start(next(iter(self.waiting)))
            if not self.items:
                return
            for item, result in self._advance(self.done.get()):
                self.items -= 1
                yield item, result

    def _submit(self, stage: Callable[..., Any], *arguments: Any) -> Future:
        future = self.pool.submit(stage, *arguments)
        future.add_done_callback(self.done.put)
        return future

    def _load_more(self, items: Iterator[Item]) -> None:
        # Twice the threads, so that none waits for this one to notice that it is idle.
        while len(self.loading) < 2 * self.stages.workers and not self.exhausted:
            if self.held >= self.stages.max_weight or self.items >= self.stages.most_items:
                return
            try:
                item = next(items)
            except StopIteration:
                self.exhausted = True
                return
            self.items += 1
            self.loading[self._submit(self.stages.load, item)] = item

    def _start(self, group: Hashable) -> None:
        batch = self.waiting.pop(group)
        self.working[self._submit(self.stages.work, [loaded for _, loaded in batch])] = batch

    def _advance(self, future: Future) -> Iterator[tuple[Item, Result | Exception]]:
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        if future in self.loading:
            item = self.loading.pop(future)
            if error:
                yield item, error
                return
            loaded = future.result()
            self.held += loaded.weight
            group = self.waiting.setdefault(loaded.group, [])
            group.append((item, loaded))
            if len(group) >= self.stages.batch:
                self._start(loaded.group)
        elif future in self.working:
            batch = self.working.pop(future)
            if error and len(batch) > 1:  # too much at once, or one that must not spoil the others
                for pair in batch:
                    self.working[self._submit(self.stages.work, [pair[1]])] = [pair]
                return
            if error:
                self.held -= batch[0][1].weight
                yield batch[0][0], error
                return
            for (item, loaded), processed in zip(batch, future.result(), strict=True):
                task = self._submit(self.stages.finish, item, loaded, processed)
                self.finishing[task] = item, loaded
        else:
            item, loaded = self.finishing.pop(future)
            self.held -= loaded.weight
            yield item, error or future.result()
