"""The queue of work that several clients want done, in which they take turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class BusyError(Exception):
    """Too much is waiting already."""


class FairQueue:
    """Runs work in threads. Machines take turns, and so do the pages of each.

    Args:
        workers: threads.
        most_waiting: pieces of work that may wait in all …
        most_of_page: … and of one page.
        initializer: called once in each thread.
    """

    def __init__(
        self,
        workers: int,
        most_waiting: int,
        most_of_page: int,
        initializer: Callable[[], None],
    ) -> None:
        self._threads = ThreadPoolExecutor(workers, initializer=initializer)
        self._free, self._waiting = workers, 0
        self._most_waiting, self._most_of_page = most_waiting, most_of_page
        self._turns: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}

    async def run(self, machine: str, page: str, work: Callable[[], Result]) -> Result:
        """Return what ``work`` returns, once it is its turn.

        Raises:
            BusyError: too much is waiting.
        """
        turns = self._turns.get(machine, {}).get(page, deque())
        if self._waiting >= self._most_waiting or len(turns) >= self._most_of_page:
            raise BusyError
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._turns.setdefault(machine, {}).setdefault(page, deque()).append(turn)
        self._waiting += 1
        self._give_turns()
        try:
            await turn
            return await loop.run_in_executor(self._threads, work)
        finally:
            if turn.done() and not turn.cancelled():
                self._free += 1
            self._give_turns()

    def close(self) -> None:
        """Drop the work that has not begun."""
        self._threads.shutdown(cancel_futures=True)

    def _give_turns(self) -> None:
        while self._free and self._turns:
            turn = self._next()
            self._waiting -= 1
            if not turn.cancelled():
                self._free -= 1
                turn.set_result(None)

    def _next(self) -> asyncio.Future[None]:
        """Take the first of the first page of the first machine; both go behind all others."""
        machine, pages = next(iter(self._turns.items()))
        page, turns = next(iter(pages.items()))
        turn = turns.popleft()
        del self._turns[machine], pages[page]
        if turns:
            pages[page] = turns
        if pages:
            self._turns[machine] = pages
        return turn
