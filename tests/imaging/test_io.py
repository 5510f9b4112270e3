from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from pix2color.color.recompose import Planes
from pix2color.errors import DataError, ImageError, MissingPathError
from pix2color.files import replacing
from pix2color.imaging.folders import find_photos
from pix2color.imaging.io import encode_planes, read_rgb, write_picture

GRADIENT = np.linspace(0, 255, 40 * 60).reshape(40, 60)


def test_colour_and_gray_files_come_as_rgb(write_photo):
    for mode in ("RGB", "L", "1", "P", "CMYK", "LA", "RGBA"):
        name = "a.tif" if mode == "CMYK" else "a.png"
        picture = Image.fromarray(data.chelsea()).resize((60, 40)).convert(mode)
        read = read_rgb(write_photo(name, picture))
        assert (read.mode, read.size) == ("RGB", (60, 40)), mode


def test_16_bit_is_scaled_not_clipped(write_photo):
    deep = Image.fromarray((GRADIENT * 257).astype(np.uint16))
    read = np.asarray(read_rgb(write_photo("deep.png", deep)))
    np.testing.assert_allclose(read[..., 0], GRADIENT, atol=1)


def test_float_tiff_is_scaled(write_photo):
    read = read_rgb(write_photo("a.tif", Image.fromarray((GRADIENT / 255).astype(np.float32))))
    np.testing.assert_allclose(np.asarray(read)[..., 0], GRADIENT, atol=1)


def test_orientation_is_applied(write_photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise
    read = read_rgb(write_photo("turned.jpg", exif=exif))
    assert read.size == (40, 60)


def test_transparency_is_laid_on_white(write_photo):
    read = read_rgb(write_photo("clear.png", Image.new("RGBA", (20, 20), (255, 0, 0, 0))))
    assert read.getpixel((5, 5)) == (255, 255, 255)


def test_a_large_jpeg_is_decoded_small_but_not_too_small(write_photo):
    path = write_photo("large.jpg", Image.fromarray(data.astronaut()).resize((800, 640)))
    assert read_rgb(path).size == (800, 640)
    small = read_rgb(path, min_side=150)
    assert small.size == (200, 160)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\nnot really"])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.png: cannot be read") as caught:
        read_rgb(path)
    assert "\n" not in str(caught.value)


def test_truncated_jpeg_is_named(write_photo):
    path = write_photo("cut.jpg")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ImageError, match=r"cut\.jpg"):
        read_rgb(path)


def test_photos_are_found_recursively_and_in_order(write_photo, tmp_path):
    for name in ("b.JPEG", "a/c.png", "a/d.webp", ".hidden/e.png", "a/.f.png"):
        write_photo(name, format="PNG" if name.endswith("png") else None)
    (tmp_path / "notes.txt").write_text("no photo")
    found = [p.relative_to(tmp_path).as_posix() for p in find_photos(tmp_path)]
    assert found == ["a/c.png", "a/d.webp", "b.JPEG"]


def test_links_that_loop_are_followed_once(write_photo, tmp_path):
    write_photo("album/a.png")
    (tmp_path / "album" / "again").symlink_to(tmp_path / "album")
    (tmp_path / "album" / "gone.png").symlink_to(tmp_path / "nowhere")
    found = [p.name for p in find_photos(tmp_path / "album")]
    assert found == ["a.png", "gone.png"]


def test_folders_without_photos_are_named(tmp_path):
    with pytest.raises(MissingPathError, match="nowhere"):
        find_photos(tmp_path / "nowhere")
    with pytest.raises(DataError, match=str(tmp_path)):
        find_photos(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_halfway():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_ending_is_refused(tmp_path):
    with pytest.raises(ImageError, match=r"a\.xyz"):
        write_picture(tmp_path / "a.xyz", Image.new("RGB", (4, 4)))


@pytest.mark.parametrize(("height", "width"), [(63, 64), (64, 63), (17, 15), (1, 1)])
def test_odd_sizes_are_encoded_alike_each_time(height, width):
    """turbojpeg reads whole cells of 2 × 2 pixels, past the end of a plane of an odd size."""
    y = np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)
    half = np.full(((height + 1) // 2, (width + 1) // 2), 140, np.uint8)
    files = {
        encode_planes(Path("a.jpg"), Planes(y.copy(), half.copy(), half.copy()), quality=92)
        for _ in range(50)
    }
    assert len(files) == 1
    with Image.open(BytesIO(files.pop())) as picture:
        picture.draft("YCbCr", None)
        assert picture.size == (width, height)
        assert abs(np.asarray(picture)[..., 0].astype(int) - y).max() <= 3
