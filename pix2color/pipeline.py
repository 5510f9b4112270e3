"""Reading, working in batches, and writing, overlapped in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Loaded(Protocol):
    """What the first stage makes of an item.

    Attributes:
        group: those of one group may be worked on together.
        weight: how much memory it holds, in any unit.
    """

    @property
    def group(self) -> Hashable: ...

    @property
    def weight(self) -> int: ...


Thing = TypeVar("Thing", bound=Loaded)
Made = TypeVar("Made")


class Pipeline(Generic[Item, Thing, Made, Result]):
    """Runs items through three stages, each in threads of one pool.

    Args:
        load: item to thing.
        work: things of one group to what is made of each, in order; if it fails for several,
            it is tried with each alone.
        finish: item, thing and what was made to the result.
        workers: threads.
        batch: most things that are worked on together.
        room: total weight above which no further item is loaded.
        prepare: called once in each thread.
    """

    def __init__(
        self,
        load: Callable[[Item], Thing],
        work: Callable[[list[Thing]], list[Made]],
        finish: Callable[[Item, Thing, Made], Result],
        *,
        workers: int,
        batch: int,
        room: int,
        prepare: Callable[[], None],
    ) -> None:
        self.load, self.work, self.finish = load, work, finish
        self.workers, self.batch, self.room, self.prepare = workers, batch, room, prepare
        # Enough that every thread has something to read while batches fill.
        self.most_items = 2 * batch + 2 * workers

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result | Exception]]:
        """Each item with its result, or with what went wrong, in the order they get done."""
        pool = ThreadPoolExecutor(self.workers, "pix2color", self.prepare)
        try:
            yield from _Run(self, pool).go(iter(items))
        finally:  # also when whoever asked for results stops asking
            pool.shutdown(cancel_futures=True)


class _Run(Generic[Item, Thing, Made, Result]):
    """One pass: what is loading, waiting for its batch, being worked on or finished."""

    def __init__(
        self, stages: Pipeline[Item, Thing, Made, Result], pool: ThreadPoolExecutor
    ) -> None:
        self.stages, self.pool = stages, pool
        self.loading: dict[Future[Thing], Item] = {}
        self.waiting: dict[Hashable, deque[tuple[Item, Thing]]] = {}
        self.working: dict[Future[list[Made]], list[tuple[Item, Thing]]] = {}
        self.finishing: dict[Future[Result], tuple[Item, Thing]] = {}
        self.held = 0  # total weight
        self.exhausted = False

    def go(self, items: Iterator[Item]) -> Iterator[tuple[Item, Result | Exception]]:
        while True:
            self._load_more(items)
            if not self.loading:  # no more will come for these batches
                self._start_oldest()
            futures: list[Future] = [*self.loading, *self.working, *self.finishing]
            if not futures:
                return
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                yield from self._advance(future)

    def _load_more(self, items: Iterator[Item]) -> None:
        while not self.exhausted and self.held < self.stages.room:
            if len(self.loading) >= self.stages.workers or self._count() >= self.stages.most_items:
                return
            try:
                item = next(items)
            except StopIteration:
                self.exhausted = True
                return
            self.loading[self.pool.submit(self.stages.load, item)] = item

    def _count(self) -> int:
        stages = (self.waiting, self.working)
        return (
            sum(len(group) for stage in stages for group in stage.values())
            + len(self.loading)
            + len(self.finishing)
        )

    def _start_oldest(self) -> None:
        if self.waiting:
            self._start(next(iter(self.waiting)))

    def _start(self, group: Hashable) -> None:
        batch = list(self.waiting.pop(group))
        things = [thing for _, thing in batch]
        self.working[self.pool.submit(self.stages.work, things)] = batch

    def _advance(self, future: Future) -> Iterator[tuple[Item, Result | Exception]]:
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        if future in self.loading:
            item = self.loading.pop(future)
            if error:
                yield item, error
                return
            thing = future.result()
            self.held += thing.weight
            group = self.waiting.setdefault(thing.group, deque())
            group.append((item, thing))
            if len(group) >= self.stages.batch:
                self._start(thing.group)
        elif future in self.working:
            batch = self.working.pop(future)
            if error and len(batch) > 1:  # too much at once, or one that must not spoil the others
                for pair in batch:
                    self.working[self.pool.submit(self.stages.work, [pair[1]])] = [pair]
                return
            if error:
                self.held -= batch[0][1].weight
                yield batch[0][0], error
                return
            for (item, thing), made in zip(batch, future.result(), strict=True):
                task = self.pool.submit(self.stages.finish, item, thing, made)
                self.finishing[task] = item, thing
        else:
            item, thing = self.finishing.pop(future)
            self.held -= thing.weight
            yield item, error or future.result()


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
