"""Files of several pages or frames, read as a whole."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from pix2color.errors import ImageError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import reading_limits
from pix2color.imaging.pages import read_pages

GRAY = np.asarray(Image.fromarray(data.camera()).resize((80, 56)))


def film(frames, size=(80, 56)):
    first, *others = (Image.fromarray(np.roll(GRAY, n)).resize(size) for n in range(frames))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others)
    return file.getvalue()


def test_pages_that_pillow_would_misread_come_out_right_and_thumbnails_are_none():
    tifffile = pytest.importorskip("tifffile", reason="pip install 'pix2color[formats]'")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as tiff:
        tiff.write(GRAY[::4, ::4], subfiletype=1)
        tiff.write(65535 - GRAY.astype(np.uint16) * 257, photometric="miniswhite")
        tiff.write(GRAY, photometric="minisblack", compression="zlib")
        tiff.write(GRAY.astype(np.float16) / 255, photometric="minisblack")
    pages, note = read_pages(Path("a.tif"), file.getvalue())
    assert [page.picture.size for page in pages] == [(80, 56)] * 3
    for page in pages:
        assert np.abs(np.asarray(page.picture.convert("L")).astype(int) - GRAY).max() <= 1
    assert not note


def test_a_later_frame_that_is_damaged_is_refused_or_told():
    content = film(4)[:-400]
    assert read_gray_photo(Path("a.gif"), content).pages == 4  # none may be lost in place
    with (
        reading_limits(max_pixels=10**8, allow_truncated=False),
        pytest.raises(ImageError, match="truncated"),
    ):
        read_pages(Path("a.gif"), content)
    with reading_limits(max_pixels=10**8, allow_truncated=True):
        pages, note = read_pages(Path("a.gif"), content)
    assert len(pages) == 4
    assert note


def test_more_frames_than_are_counted_are_refused():
    with pytest.raises(ImageError, match=r"a\.gif"):
        read_pages(Path("a.gif"), film(1001, (8, 8)))
