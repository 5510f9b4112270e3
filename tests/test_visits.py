"""The photos of the page in the browser: whose they are, and that they go."""

import io

import pytest
import torch
from PIL import Image

from pix2color import Colorizer
from pix2color.errors import UsageError
from pix2color.look import Look, Mood
from pix2color.web.coloring import color_picture
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
