"""Damage never passes in silence: a named failure, or as far as it decodes, and that is said."""

import io
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke
from PIL import Image
from skimage import data

from pix2color.data.prepare import Preparation, prepare
from pix2color.data.sources import PhotoFile
from pix2color.errors import ImageError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import read_rgb, reading_limits
from pix2color.imaging.opening import reason

PICTURE = Image.fromarray(data.camera()).resize((256, 256))
FORMATS = {
    "plain.png": {},
    "exif.png": {"exif": b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0"},
    "deflated.tif": {"compression": "tiff_adobe_deflate"},
    "lzw.tif": {"compression": "tiff_lzw"},
    "gray.jpg": {},
    "rgb.jpg": {"mode": "RGB"},
    "profile.jpg": {"icc_profile": b"garbage" * 40},
    "cmyk.jpg": {"mode": "CMYK"},
    "progressive.jpg": {"progressive": True},
}


def saved(name, mode="L", **options):
    file = io.BytesIO()
    kind = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF"}[name[-3:]]
    PICTURE.convert(mode).save(file, kind, **options)
    return file.getvalue()


def overwritten(content, how):
    """The content, from its middle on not what it was."""
    half = len(content) // 2
    if how == "cut":
        return content[:half]
    end = half + 200 if how == "hole" else len(content)
    return content[:half] + bytes(end - half) + content[end:]


@pytest.mark.parametrize("how", ["hole", "zeros", "cut"])
@pytest.mark.parametrize("name", FORMATS)
def test_it_is_named_by_every_reader(name, how, tmp_path):
    path = tmp_path / name
    path.write_bytes(overwritten(saved(name, **FORMATS[name]), how))
    for read in (read_gray_photo, read_rgb, lambda path: PhotoFile(path).read(min_side=64)):
        with pytest.raises(ImageError, match=name):
            read(path)
    with reading_limits(max_pixels=10**6, allow_truncated=True):
        try:
            photo = read_gray_photo(path)
        except ImageError:  # nothing of it can be decoded
            return
    assert photo.gray.shape == (256, 256)
    assert photo.notes


@pytest.mark.parametrize("name", FORMATS)
def test_sound_files_are_sound(name):
    with reading_limits(max_pixels=10**6, allow_truncated=True):
        assert not read_gray_photo(Path(name), saved(name, **FORMATS[name])).notes


def test_a_few_bytes_between_a_jpegs_data_and_its_end_are_no_damage():
    content = saved("a.jpg")
    padded = content[:-2] + bytes(3) + content[-2:]
    assert np.array_equal(
        read_gray_photo(Path("a.jpg"), padded).gray, read_gray_photo(Path("a.jpg"), content).gray
    )


def test_what_is_saved_of_it_is_said_and_the_next_file_is_read_strictly(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(overwritten(saved(name), "hole"))
    (tmp_path / "c.png").write_bytes(saved("c.png"))
    command = ("colorize", tmp_path, "--out", tmp_path / "out")
    assert invoke(*command).returncode == 3
    done = invoke(*command, "--allow-truncated")
    assert done.returncode == 0
    assert [f"{name}.png: damaged" in done.stderr for name in "abc"] == [True, True, False]
    with pytest.raises(ImageError):
        read_gray_photo(tmp_path / "a.png")


def test_preparing_leaves_damaged_photos_out(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    picture = Image.fromarray(data.astronaut()).resize((200, 200))
    for name in ("sound.png", "hurt.png", "hurt.jpg"):
        picture.save(photos / name)
    for name, how in (("hurt.png", "hole"), ("hurt.jpg", "zeros")):
        (photos / name).write_bytes(overwritten((photos / name).read_bytes(), how))
    summary = prepare([photos], tmp_path / "out", Preparation(size=96), workers=0)
    assert (summary.kept, dict(summary.dropped)) == (1, {"broken": 2})


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left"), ValueError()])
def test_every_error_has_a_reason(error):
    """Pillow raises some without a word, such as for a row that it cannot allocate."""
    assert reason(error)
