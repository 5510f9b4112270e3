"""The photos of the page in the browser: whose they are, and that they go."""

import asyncio
import io
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from pix2color import Colorizer
from pix2color.errors import UsageError
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.options import ColorizeOptions
from pix2color.processes import cores
from pix2color.web import coloring_queue as queue_module
from pix2color.web import sessions as sessions_module
from pix2color.web.coloring import color_picture
from pix2color.web.coloring_queue import ColoringQueue
from pix2color.web.sessions import FAILED, Sessions
from pix2color.web.uploads import sanitize


def test_another_reference_photo_is_another_request():
    first, second = (ChromaStatistics(torch.zeros(2), torch.eye(2)) for _ in range(2))
    assert ColorizeOptions(like=first) != ColorizeOptions(like=second)
    assert ColorizeOptions(like=first) == ColorizeOptions(like=first)


def test_pages_that_nobody_uses_are_forgotten_and_names_are_those_of_the_command_line():
    sessions = Sessions(max_bytes=100)
    try:
        old, new = sessions.of_page("old"), sessions.of_page("new")
        old.used -= 3601
        sessions.end_idle()
        assert (old.folder.exists(), new.folder.exists()) == (False, True)
        assert sessions.by_token(old.token) is None
    finally:
        sessions.close()
    assert not sessions.root.exists()
    assert [sanitize(n) for n in ("a.gif", "../b.PNG", "c", "d.xyz")] == [
        *("a.png", "_b.PNG", "c.jpg", "d.xyz.jpg")
    ]


def test_what_is_sent_and_never_shown_is_removed_and_what_is_too_large_not_kept():
    sessions = Sessions(max_bytes=2**20)
    try:
        uploads = sessions.uploads
        left = uploads.keep("a.jpg", io.BytesIO(b"photo"), 5)
        assert len(list(uploads.folder.iterdir())) == 1
        uploads.remove_unclaimed()
        assert len(list(uploads.folder.iterdir())) == 1
        uploads.remove_unclaimed(seconds=0)
        assert not list(uploads.folder.iterdir())
        with pytest.raises(UsageError, match="drop them again"):
            uploads.claim(left)
        large = uploads.keep("A.jpg", io.BytesIO(b"photo"), 2**20 + 1)
        assert not list(uploads.folder.iterdir())
        session = sessions.of_page("page")
        session.set_photos([large, uploads.keep("a.jpg", io.BytesIO(b""), 0)], uploads)
        assert [p.name for p in session.pictures.values()] == ["A.jpg", "a (2).jpg"]
        picture = session.pictures[large]
        color_picture(None, session, picture, session.options)
        assert (picture.status, picture.reason) == (FAILED, "larger than 1 MiB")
    finally:
        sessions.close()


def test_too_many_are_told(monkeypatch):
    sessions = Sessions(max_bytes=2**20)
    monkeypatch.setattr(sessions_module, "MOST_PHOTOS", 2)
    monkeypatch.setattr(sessions_module, "_MAX_SESSIONS", 1)
    try:
        session = sessions.of_page("page")
        handles = [sessions.uploads.keep("a.jpg", io.BytesIO(b"photo"), 5) for _ in range(3)]
        with pytest.raises(UsageError, match="3 photos are too many"):
            session.set_photos(handles, sessions.uploads)
        assert not session.pictures
        session.set_photos(handles[:2], sessions.uploads)
        with pytest.raises(UsageError, match="too many people"):
            sessions.of_page("another")
        sessions.end("page")
        sessions.of_page("another")
        assert sessions.stored() == 5  # the photo that no session has claimed
    finally:
        sessions.close()


def page_of(queue: ColoringQueue, page: str, photos: int, write_photo) -> dict:
    """What ``refresh`` is asked for by a page that brings so many photos."""
    file = write_photo(f"{page}.png", Image.new("L", (60, 40), 90)).read_bytes()
    keep = queue.sessions.uploads.keep
    handles = [keep(f"{n}.png", io.BytesIO(file), len(file)) for n in range(photos)]
    options = {"like": None, "temperature": 0.0, "render_size": 64, "force": True}
    return {"page": page, "handles": handles, **options}


def run(coroutine):
    """Its result; in a thread, for Playwright keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


async def until_done(queue: ColoringQueue, **asked) -> None:
    async for _ in queue.refresh(**asked):
        pass


def test_a_page_of_many_photos_and_options_does_not_hold_up_one_of_few(pretrained, write_photo):
    queue = ColoringQueue(Colorizer.load(pretrained), Sessions(max_bytes=2**20))
    network, seen = queue.colorizer.network, []

    def counted(L):
        seen.append(time.monotonic())
        time.sleep(0.05)
        return network(L)

    queue.colorizer.network = counted

    async def visitors() -> int:
        many = page_of(queue, "many", 60, write_photo)
        tasks = []
        for n in range(5):  # a slider that is moved
            tasks.append(asyncio.create_task(until_done(queue, saturation=1 + n / 10, **many)))
            await asyncio.sleep(0.4)
        before = len(seen)
        await until_done(queue, saturation=1.0, **page_of(queue, "few", 1, write_photo))
        meanwhile = len(seen) - before
        queue.sessions.end("many")
        await asyncio.gather(*tasks)
        return meanwhile

    try:
        meanwhile = run(visitors())
        assert meanwhile <= 1 + 0.25 / 0.05 * cores() + 2 * cores()  # its patience, then its turn
        assert len(seen) < 60  # for old options no more than was at work
    finally:
        queue.close()


def test_a_photo_that_is_taken_away_leaves_nothing(pretrained, write_photo):
    queue = ColoringQueue(Colorizer.load(pretrained), Sessions(max_bytes=2**20))
    network = queue.colorizer.network
    try:
        asked = page_of(queue, "page", 1, write_photo)
        session = queue.sessions.of_page("page")
        session.set_photos(asked["handles"], queue.sessions.uploads)
        (picture,) = session.pictures.values()

        def taken_away(L):
            session.set_photos([], queue.sessions.uploads)
            return network(L)

        queue.colorizer.network = taken_away
        color_picture(queue.colorizer, session, picture, session.options)
        assert not list(session.folder.iterdir())
    finally:
        queue.close()


def test_of_calls_only_so_many_wait(pretrained, monkeypatch):
    monkeypatch.setattr(queue_module, "_MOST_WAITING", 1)
    queue = ColoringQueue(Colorizer.load(pretrained), Sessions(max_bytes=2**20))
    file = io.BytesIO()
    Image.new("L", (60, 40), 90).save(file, "PNG")

    async def calls() -> list[bytes | None]:
        files = [io.BytesIO(file.getvalue()) for _ in range(3)]
        options = ColorizeOptions(force=True)
        return await asyncio.gather(*(queue.once("a.png", f, options) for f in files))

    try:
        answers = run(calls())
        assert [answer is None for answer in answers] == [False, True, True]
        assert run(calls())[0] == answers[0]  # there is room again
    finally:
        queue.close()


def test_a_page_that_closes_while_a_photo_is_coloured_leaves_nothing(pretrained, write_photo):
    sessions = Sessions(max_bytes=2**20)
    try:
        session = sessions.of_page("page")
        with write_photo("a.png", Image.new("L", (60, 40), 90)).open("rb") as file:
            session.set_photos([sessions.uploads.keep("a.jpg", file, 1)], sessions.uploads)
        (picture,) = session.pictures.values()
        colorizer = Colorizer.load(pretrained)
        network = colorizer.network

        def last_moment(L):
            sessions.end("page")
            session.folder.mkdir()  # as whoever writes makes it
            return network(L)

        colorizer.network = last_moment
        color_picture(colorizer, session, picture, session.options)
        assert not session.folder.exists()
    finally:
        sessions.close()
