"""Reading, working in batches, and writing, overlapped in threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

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
        # Enough that photos of several shapes each fill their batches.
        self.most_items = 4 * batch + 2 * workers

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
        self.done: SimpleQueue[Future] = SimpleQueue()
        self.loading: dict[Future[Thing], Item] = {}
        self.waiting: dict[Hashable, list[tuple[Item, Thing]]] = {}
        self.working: dict[Future[list[Made]], list[tuple[Item, Thing]]] = {}
        self.finishing: dict[Future[Result], tuple[Item, Thing]] = {}
        self.items = 0  # that are anywhere between the first stage and the last
        self.held = 0  # their total weight
        self.exhausted = False

    def go(self, items: Iterator[Item]) -> Iterator[tuple[Item, Result | Exception]]:
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
            if self.held >= self.stages.room or self.items >= self.stages.most_items:
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
        self.working[self._submit(self.stages.work, [thing for _, thing in batch])] = batch

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
            group = self.waiting.setdefault(thing.group, [])
            group.append((item, thing))
            if len(group) >= self.stages.batch:
                self._start(thing.group)
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
            for (item, thing), made in zip(batch, future.result(), strict=True):
                task = self._submit(self.stages.finish, item, thing, made)
                self.finishing[task] = item, thing
        else:
            item, thing = self.finishing.pop(future)
            self.held -= thing.weight
            yield item, error or future.result()
