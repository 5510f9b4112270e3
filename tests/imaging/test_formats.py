"""Photos of phones and cameras, which an extra reads."""

import io
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke
from PIL import Image, TiffImagePlugin
from skimage import data

from pix2color.errors import ImageError, MissingExtraError
from pix2color.imaging.folders import find_photos
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import reading_limits

CAMERA = Image.fromarray(data.camera())


@pytest.fixture
def heic(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="pip install 'pix2color[formats]'")
    path = tmp_path / "phone.heic"
    heif.from_pillow(CAMERA.convert("RGB")).save(path, quality=90)
    return path


@pytest.fixture
def raw(tmp_path):
    """A digital negative of a gray ramp, as small as one can be."""
    pytest.importorskip("rawpy", reason="pip install 'pix2color[formats]'")
    height, width = 96, 128
    sensor = np.tile(np.linspace(2_000, 60_000, width).astype("<u2"), (height, 1))
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    types = {"B": 1, "s": 2, "H": 3, "I": 4, "Q": 5, "q": 10}
    for tag, kind, value in (
        *((254, "I", 0), (256, "I", width), (257, "I", height), (258, "H", 16), (259, "H", 1)),
        *((262, "H", 32803), (271, "s", "pix2color"), (272, "s", "test"), (273, "I", 0)),
        *((277, "H", 1), (278, "I", height), (279, "I", sensor.nbytes)),
        *((33421, "H", (2, 2)), (33422, "B", bytes([0, 1, 1, 2]))),
        *((50706, "B", bytes([1, 4, 0, 0])), (50708, "s", "pix2color test")),
        (50717, "I", 65535),
        (50721, "q", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),
        *((50728, "Q", (1.0, 1.0, 1.0)), (50778, "H", 21)),
    ):
        tags.tagtype[tag] = types[kind]
        tags[tag] = value
    path = tmp_path / "camera.dng"
    with path.open("wb") as file:
        tags.save(file)  # which says that the pixels come next
        file.write(sensor.tobytes())
    return path


def test_a_phones_photo_is_read_and_its_colour_version_is_a_jpeg(heic, tmp_path):
    photo = read_gray_photo(heic)
    assert not photo.has_color
    assert np.abs(photo.gray.astype(int) - data.camera()).mean() < 4
    done = invoke("colorize", heic, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "phone.jpg") as picture:
        assert picture.size == (512, 512)


def test_what_has_lost_its_name_is_known_by_its_content(heic, raw):
    for path in (heic, raw):
        named = read_gray_photo(path).gray
        for name in ("photo", "a.jpg", "a.NEF.jpg"):
            assert np.array_equal(read_gray_photo(Path(name), path.read_bytes()).gray, named)
    jpeg = io.BytesIO()
    CAMERA.save(jpeg, "JPEG")
    assert read_gray_photo(Path("a.heic"), jpeg.getvalue()).gray.shape == (512, 512)
    assert read_gray_photo(Path("a.nef"), jpeg.getvalue()).gray.shape == (512, 512)


def test_they_are_never_written_in_place(heic, tmp_path):
    before = heic.read_bytes()
    done = invoke("colorize", heic, "--in-place", "--backup", tmp_path / "backup")
    assert done.returncode == 1
    assert "phone.heic" in done.stderr
    assert heic.read_bytes() == before


def test_limits_hold_for_them_too(raw):
    with reading_limits(max_pixels=1000, allow_truncated=False), pytest.raises(ImageError):
        read_gray_photo(raw)


def test_a_cameras_raw_file_is_developed(raw):
    photo = read_gray_photo(raw)
    assert photo.gray.shape[1] > photo.gray.shape[0] > 50
    columns = photo.gray.mean(axis=0)
    assert columns[-10] > columns[10] + 50
    assert find_photos(raw.parent) == [raw]


@pytest.mark.parametrize("name", ["a.heic", "a.dng"])
def test_broken_ones_are_named(name, tmp_path):
    (tmp_path / name).write_bytes(b"no photo at all")
    with pytest.raises(ImageError, match=name):
        read_gray_photo(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "package"), [("a.heic", "pillow_heif"), ("a.HIF", "pillow_heif"), ("a.nef", "rawpy")]
)
def test_without_the_extra_they_say_how_to_install_it(name, package, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    start = b"whatever" if package == "rawpy" else b"\0\0\0\x18ftypheic"
    (tmp_path / name).write_bytes(start + bytes(40))
    with pytest.raises(MissingExtraError, match=r"pix2color\[formats\]"):
        read_gray_photo(tmp_path / name)
    done = invoke("colorize", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "pip install 'pix2color[formats]'" in done.stderr
    assert done.stderr.count(name) == 1
