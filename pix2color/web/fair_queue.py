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
    """Runs work in threads; clients take turns, however much each has brought.

    Args:
        workers: threads.
        most_waiting: pieces of work that may wait.
        initializer: called once in each thread.
    """

    def __init__(self, workers: int, most_waiting: int, initializer: Callable[[], None]) -> None:
        self._threads = ThreadPoolExecutor(workers, initializer=initializer)
        self._free, self._most_waiting = workers, most_waiting
        self._turns: dict[str, deque[asyncio.Future[None]]] = {}

    async def run(self, client: str, work: Callable[[], Result]) -> Result:
        """Return what ``work`` returns, once it is this client's turn.

        Raises:
            BusyError: too much is waiting.
        """
        if sum(map(len, self._turns.values())) >= self._most_waiting:
            raise BusyError
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._turns.setdefault(client, deque()).append(turn)
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
            client = next(iter(self._turns))
            turns = self._turns.pop(client)
            turn = turns.popleft()
            if turns:
                self._turns[client] = turns  # behind all others
            if not turn.cancelled():
                self._free -= 1
                turn.set_result(None)
