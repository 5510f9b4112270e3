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
from pix2color.inference.adjust import Look, Mood
from pix2color.processes import cores
from pix2color.web import studio as studio_module
from pix2color.web import visits as visits_module
from pix2color.web.coloring import color_picture
from pix2color.web.studio import Studio
from pix2color.web.uploads import tame
from pix2color.web.visits import FAILED, Visits, Wishes


def test_another_reference_photo_is_another_wish():
    moods = [Mood(torch.zeros(2), torch.eye(2)) for _ in range(2)]
    assert Wishes(Look(moods[0])) != Wishes(Look(moods[1]))
    assert Wishes(Look(moods[0])) == Wishes(Look(moods[0]))


def test_pages_that_nobody_uses_are_forgotten_and_names_are_those_of_the_command_line():
    visits = Visits(max_bytes=100)
    try:
        old, new = visits.of_page("old"), visits.of_page("new")
        old.used -= 3601
        visits.end_idle()
        assert (old.folder.exists(), new.folder.exists()) == (False, True)
        assert visits.by_token(old.token) is None
    finally:
        visits.close()
    assert not visits.root.exists()
    assert [tame(n) for n in ("a.gif", "../b.PNG", "c", "d.xyz")] == [
        *("a.png", "_b.PNG", "c.jpg", "d.xyz.jpg")
    ]


def test_what_is_sent_and_never_shown_is_removed_and_what_is_too_large_not_kept():
    visits = Visits(max_bytes=2**20)
    try:
        uploads = visits.uploads
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
        visit = visits.of_page("page")
        visit.bring([large, uploads.keep("a.jpg", io.BytesIO(b""), 0)], uploads)
        assert [p.name for p in visit.pictures.values()] == ["A.jpg", "a (2).jpg"]
        picture = visit.pictures[large]
        color_picture(None, visit, picture, visit.wishes)
        assert (picture.status, picture.reason) == (FAILED, "larger than 1 MiB")
    finally:
        visits.close()


def test_too_many_are_told(monkeypatch):
    visits = Visits(max_bytes=2**20)
    monkeypatch.setattr(visits_module, "MOST_PHOTOS", 2)
    monkeypatch.setattr(visits_module, "_MOST_VISITS", 1)
    try:
        visit = visits.of_page("page")
        handles = [visits.uploads.keep("a.jpg", io.BytesIO(b"photo"), 5) for _ in range(3)]
        with pytest.raises(UsageError, match="3 photos are too many"):
            visit.bring(handles, visits.uploads)
        assert not visit.pictures
        visit.bring(handles[:2], visits.uploads)
        with pytest.raises(UsageError, match="too many people"):
            visits.of_page("another")
        visits.end("page")
        visits.of_page("another")
        assert visits.stored() == 5  # the photo that no visit has claimed
    finally:
        visits.close()


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"look": Look(saturation=float("nan"))}, "saturation: nan is not within 0 to 3"),
        ({"look": Look(temperature=-101)}, "temperature: -101 is not within -100 to 100"),
        ({"render_size": 0}, "render_size: 0 is not within 32 to 1024"),
    ],
)
def test_what_cannot_be_done_is_no_wish(wishes, told):
    with pytest.raises(UsageError, match=told):
        Wishes(**wishes)


def page_of(studio: Studio, page: str, photos: int, write_photo) -> dict:
    """What ``refresh`` is asked for by a page that brings so many photos."""
    file = write_photo(f"{page}.png", Image.new("L", (60, 40), 90)).read_bytes()
    keep = studio.visits.uploads.keep
    handles = [keep(f"{n}.png", io.BytesIO(file), len(file)) for n in range(photos)]
    wishes = {"like": None, "temperature": 0.0, "render_size": 64, "coloured_too": True}
    return {"page": page, "handles": handles, **wishes}


def run(coroutine):
    """Its result; in a thread, for Playwright keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


async def until_done(studio: Studio, **asked) -> None:
    async for _ in studio.refresh(**asked):
        pass


def test_a_page_of_many_photos_and_wishes_does_not_hold_up_one_of_few(pretrained, write_photo):
    studio = Studio(Colorizer.load(pretrained), Visits(max_bytes=2**20))
    network, seen = studio.colorizer.network, []

    def counted(L):
        seen.append(time.monotonic())
        time.sleep(0.05)
        return network(L)

    studio.colorizer.network = counted

    async def visitors() -> int:
        many = page_of(studio, "many", 60, write_photo)
        tasks = []
        for n in range(5):  # a slider that is moved
            tasks.append(asyncio.create_task(until_done(studio, saturation=1 + n / 10, **many)))
            await asyncio.sleep(0.4)
        before = len(seen)
        await until_done(studio, saturation=1.0, **page_of(studio, "few", 1, write_photo))
        meanwhile = len(seen) - before
        studio.visits.end("many")
        await asyncio.gather(*tasks)
        return meanwhile

    try:
        meanwhile = run(visitors())
        assert meanwhile <= 1 + 0.25 / 0.05 * cores() + 2 * cores()  # its patience, then its turn
        assert len(seen) < 60  # for old wishes no more than was at work
    finally:
        studio.close()


def test_a_photo_that_is_taken_away_leaves_nothing(pretrained, write_photo):
    studio = Studio(Colorizer.load(pretrained), Visits(max_bytes=2**20))
    network = studio.colorizer.network
    try:
        asked = page_of(studio, "page", 1, write_photo)
        visit = studio.visits.of_page("page")
        visit.bring(asked["handles"], studio.visits.uploads)
        (picture,) = visit.pictures.values()

        def taken_away(L):
            visit.bring([], studio.visits.uploads)
            return network(L)

        studio.colorizer.network = taken_away
        color_picture(studio.colorizer, visit, picture, visit.wishes)
        assert not list(visit.folder.iterdir())
    finally:
        studio.close()


def test_of_calls_only_so_many_wait(pretrained, monkeypatch):
    monkeypatch.setattr(studio_module, "_MOST_WAITING", 1)
    studio = Studio(Colorizer.load(pretrained), Visits(max_bytes=2**20))
    file = io.BytesIO()
    Image.new("L", (60, 40), 90).save(file, "PNG")

    async def calls() -> list[bytes | None]:
        files = [io.BytesIO(file.getvalue()) for _ in range(3)]
        wishes = Wishes(coloured_too=True)
        return await asyncio.gather(*(studio.once("a.png", f, wishes) for f in files))

    try:
        answers = run(calls())
        assert [answer is None for answer in answers] == [False, True, True]
        assert run(calls())[0] == answers[0]  # there is room again
    finally:
        studio.close()


def test_a_page_that_closes_while_a_photo_is_coloured_leaves_nothing(pretrained, write_photo):
    visits = Visits(max_bytes=2**20)
    try:
        visit = visits.of_page("page")
        with write_photo("a.png", Image.new("L", (60, 40), 90)).open("rb") as file:
            visit.bring([visits.uploads.keep("a.jpg", file, 1)], visits.uploads)
        (picture,) = visit.pictures.values()
        colorizer = Colorizer.load(pretrained)
        network = colorizer.network

        def last_moment(L):
            visits.end("page")
            visit.folder.mkdir()  # as whoever writes makes it
            return network(L)

        colorizer.network = last_moment
        color_picture(colorizer, visit, picture, visit.wishes)
        assert not visit.folder.exists()
    finally:
        visits.close()
