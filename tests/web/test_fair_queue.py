"""Who is served when several want something at once."""

import asyncio
import threading

import pytest
from serving import run_async

from pix2color.web.fair_queue import BusyError, FairQueue


def test_clients_take_turns_however_much_each_brings():
    done: list[str] = []

    async def main():
        queue = FairQueue(1, 100, 50, lambda: None)
        started = threading.Event()
        first = asyncio.create_task(queue.run("here", "many", lambda: started.wait(10)))
        await asyncio.sleep(0)
        many = [queue.run("here", "many", lambda i=i: done.append(f"many {i}")) for i in range(5)]
        tasks = [asyncio.create_task(work) for work in many]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(queue.run("here", "few", lambda: done.append("few"))))
        await asyncio.sleep(0)
        started.set()
        await asyncio.gather(first, *tasks)
        queue.close()

    run_async(main())
    assert done.index("few") == 1
    assert [name for name in done if name != "few"] == [f"many {i}" for i in range(5)]


def test_a_machine_with_many_pages_has_no_more_turns_than_another():
    done: list[str] = []

    async def main():
        queue = FairQueue(1, 100, 50, lambda: None)
        started = threading.Event()
        tasks = [asyncio.create_task(queue.run("a", "0", lambda: started.wait(10)))]
        await asyncio.sleep(0)
        for page in range(10):
            work = queue.run("a", str(page), lambda page=page: done.append(f"a {page}"))
            tasks.append(asyncio.create_task(work))
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(queue.run("b", "0", lambda: done.append("b"))))
        await asyncio.sleep(0)
        started.set()
        await asyncio.gather(*tasks)
        queue.close()

    run_async(main())
    assert done.index("b") == 1


def test_whoever_leaves_holds_nobody_up():
    async def main():
        queue = FairQueue(1, 100, 50, lambda: None)
        started = threading.Event()
        first = asyncio.create_task(queue.run("here", "a", lambda: started.wait(10)))
        await asyncio.sleep(0)
        gone = asyncio.create_task(queue.run("here", "b", lambda: pytest.fail("was cancelled")))
        await asyncio.sleep(0)
        gone.cancel()
        started.set()
        await first
        for number in range(3):
            assert await queue.run("here", "c", lambda number=number: number) == number
        queue.close()

    run_async(main())


def test_too_much_is_refused_and_an_error_frees_the_thread():
    async def main():
        queue = FairQueue(1, 100, 1, lambda: None)
        started = threading.Event()
        first = asyncio.create_task(queue.run("here", "a", lambda: started.wait(10)))
        await asyncio.sleep(0)
        second = asyncio.create_task(queue.run("here", "a", lambda: 1 / 0))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await queue.run("here", "a", lambda: None)
        started.set()
        await first
        with pytest.raises(ZeroDivisionError):
            await second
        assert await queue.run("here", "b", lambda: 7) == 7
        queue.close()

    run_async(main())
