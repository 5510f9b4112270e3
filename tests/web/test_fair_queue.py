"""Who is served when several want something at once."""

import asyncio
import contextlib
import threading

import pytest
from serving import run_async

from pix2color.web.fair_queue import BusyError, FairQueue


@contextlib.asynccontextmanager
async def held_queue(most_of_page: int = 50):
    """A queue of one thread, which is held by work of page ``a`` until its event is set."""
    queue, event = FairQueue(1, 100, most_of_page, lambda: None), threading.Event()
    first = asyncio.create_task(queue.run("here", "a", lambda: event.wait(10)))
    await asyncio.sleep(0)
    yield queue, event
    event.set()
    await first
    queue.close()


async def waiting(work) -> asyncio.Task:
    """That work, which has got into its queue."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


def test_clients_take_turns_however_much_each_brings():
    done: list[str] = []

    async def main():
        async with held_queue() as (queue, event):
            many = [queue.run("here", "a", lambda i=i: done.append(f"a {i}")) for i in range(5)]
            tasks = [await waiting(work) for work in many]
            tasks.append(await waiting(queue.run("here", "b", lambda: done.append("b"))))
            event.set()
            await asyncio.gather(*tasks)

    run_async(main())
    assert done.index("b") == 1
    assert [name for name in done if name != "b"] == [f"a {i}" for i in range(5)]


def test_a_machine_with_many_pages_has_no_more_turns_than_another():
    done: list[str] = []

    async def main():
        async with held_queue() as (queue, event):
            pages = [queue.run("here", str(i), lambda i=i: done.append(f"{i}")) for i in range(10)]
            tasks = [await waiting(work) for work in pages]
            tasks.append(await waiting(queue.run("there", "0", lambda: done.append("there"))))
            event.set()
            await asyncio.gather(*tasks)

    run_async(main())
    assert done.index("there") == 1


def test_whoever_leaves_holds_nobody_up():
    async def main():
        async with held_queue() as (queue, event):
            gone = await waiting(queue.run("here", "b", lambda: pytest.fail("was cancelled")))
            gone.cancel()
            event.set()
            for number in range(3):
                assert await queue.run("here", "c", lambda number=number: number) == number

    run_async(main())


def test_too_much_is_refused_and_an_error_frees_the_thread():
    async def main():
        async with held_queue(most_of_page=1) as (queue, event):
            second = await waiting(queue.run("here", "a", lambda: 1 / 0))
            with pytest.raises(BusyError):
                await queue.run("here", "a", lambda: None)
            event.set()
            with pytest.raises(ZeroDivisionError):
                await second
            assert await queue.run("here", "b", lambda: 7) == 7

    run_async(main())
