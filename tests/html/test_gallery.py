"""The page with before and after, in a real browser where there is one."""

import numpy as np
import pytest
from conftest import opened
from PIL import Image
from skimage import data

from pix2color.errors import UsageError
from pix2color.html.gallery import check_place, write_gallery


@pytest.fixture
def page(tmp_path, write_photo):
    gray = write_photo("gray.png", Image.fromarray(data.camera()))
    red = write_photo("red.png", Image.new("RGB", (512, 512), (200, 30, 30)))
    path = tmp_path / "gallery.html"
    name = "<script>alert(1)</script>.jpg"
    pairs = [(name, gray, red), ("gone.jpg", tmp_path / "gone.jpg", red)]
    assert write_gallery(path, pairs) == 1
    return path


def test_the_page_needs_nothing_else(page):
    text = page.read_text("utf-8")
    assert text.count("<figure>") == 1
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert text.count("data:image/jpeg;base64,") == 2
    assert "http:" not in text  # base64 has no colon
    assert "https:" not in text


def test_half_is_before_and_half_after(browser, page, tmp_path):
    shot = tmp_path / "shot.png"
    with opened(browser, page, width=500) as tab:
        tab.screenshot(path=shot)
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 80)
    columns = np.flatnonzero(red.sum(axis=0) > 100)
    assert columns.min() == pytest.approx(250, abs=20)  # the left half is as it was
    assert columns.max() > 440


def test_a_page_of_somebody_else_is_not_replaced(page, tmp_path):
    check_place(page)
    check_place(tmp_path / "new.html")
    other = tmp_path / "mine.html"
    other.write_text("<html>my own</html>")
    with pytest.raises(UsageError, match=r"mine\.html"):
        check_place(other)
