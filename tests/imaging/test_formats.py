"""Photos of phones and cameras, which an extra reads."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke
from PIL import Image, ImageCms, TiffImagePlugin
from skimage import data

from pix2color.errors import ImageError, MissingExtraError
from pix2color.imaging.folders import find_photos
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import open_picture, output_path, read_rgb, reading_limits

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


def photoshop(gray, *, layers=0, merged=True, channels=1, bits=8):
    """The bytes of a Photoshop file, with a caption in XMP."""
    resources = [(1057, bytes(3) + b"\1" + bytes([merged])), (1060, b"<x/>")]
    packed = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)
        for number, content in resources
    )
    height, width = gray.shape
    head = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 1, channels, height, width, bits, 1 + 2 * (channels > 1)
    )
    head += struct.pack(">II", 0, len(packed)) + packed
    info = struct.pack(">h", layers)
    head += struct.pack(">II", len(info) + 4, len(info)) + info + b"\0\0"
    return head + (gray.tobytes() * min(3, channels)) + bytes(gray.size // 2) * (channels > 3) * 2


def test_photoshop_files_are_read_as_all_layers_together():
    gray = data.camera()
    photo = read_gray_photo(Path("a.psd"), photoshop(gray))
    assert np.array_equal(photo.gray, gray)
    assert photo.metadata.xmp == b"<x/>"
    kept_mask = read_gray_photo(Path("a.psd"), photoshop(gray, channels=4, layers=1))
    assert (kept_mask.alpha is None, np.array_equal(kept_mask.gray, gray)) == (True, True)
    clear = read_gray_photo(Path("a.psd"), photoshop(gray, channels=4, layers=-1))
    assert not clear.alpha.any()


@pytest.mark.parametrize("options", [{"bits": 16}, {"merged": False}])
def test_photoshop_files_without_a_picture_to_read_are_refused(options):
    with pytest.raises(ImageError, match=r"a\.psd.*TIFF"):
        read_gray_photo(Path("a.psd"), photoshop(data.camera(), **options))


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


DEEP = Image.fromarray(data.camera().astype(np.uint16) * 16)  # dark, and so it stays


KINDS = {
    "a.jp2": saved(CAMERA, "JPEG2000"),
    "a.j2k": saved(CAMERA.convert("RGB"), "JPEG2000", no_jp2=True),
    "deep.jp2": saved(DEEP, "JPEG2000"),
    "a.pgm": saved(CAMERA, "PPM"),
    "a.ppm": saved(CAMERA.convert("RGB"), "PPM"),
    "deep.pgm": b"P5 512 512 4080\n" + (data.camera() * np.uint16(16)).astype(">u2").tobytes(),
    "plain.pgm": b"P2 512 512 255\n" + b" ".join(b"%d" % value for value in data.camera().flat),
    "a.pfm": saved(Image.fromarray(data.camera() / np.float32(255)), "PPM"),
    "a.apng": saved(CAMERA, "PNG"),
    "a.mpo": saved(CAMERA, "MPO", quality=100, save_all=True, append_images=[CAMERA]),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_that_people_have_are_found_read_and_written_as_what_holds_them(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(KINDS[name])
    assert find_photos(tmp_path) == [path]
    photo = read_gray_photo(path)
    wanted = data.camera() / (16 if name == "deep.jp2" else 1)
    assert np.abs(photo.gray - wanted).max() <= 1.5
    assert not photo.notes
    assert np.abs(np.asarray(read_rgb(path))[..., 0] - wanted).max() <= 2
    assert output_path(path).suffix == (".jpg" if name == "a.mpo" else ".png")


def test_what_a_jpeg_2000_file_says_beside_its_pixels_counts():
    content = saved(CAMERA, "JPEG2000")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    at = content.index(b"colr") - 4
    box = struct.pack(">I", 11 + len(profile)) + b"colr\2\0\0" + profile
    head = content.index(b"jp2h") - 4
    length = struct.pack(">I", int.from_bytes(content[head : head + 4], "big") - 15 + len(box))
    xmp = b"uuid" + bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b"<x/>"
    more = struct.pack(">I", 4 + len(xmp)) + xmp
    end = content.index(b"jp2c") - 4
    before = content[:head] + length + content[head + 4 : at] + box
    content = before + content[at + 15 : end] + more + content[end:]
    with open_picture(Path("a.jp2"), content) as file:
        assert file.info["icc_profile"] == profile
    photo = read_gray_photo(Path("a.jp2"), content)
    assert photo.metadata.xmp == b"<x/>"
    assert np.abs(photo.gray.astype(int) - data.camera()).max() <= 1


@pytest.mark.parametrize(("colors", "clear"), [(0, [777]), (2, [40_000] * 3)])
def test_a_transparent_value_of_16_bits_is_transparent(colors, clear):
    values = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    values[20:][values[20:] >> 8 == clear[0] >> 8] = 0
    values[:20] = clear[0]
    rows = np.repeat(values.astype(">u2")[..., None], len(clear), 2).tobytes()
    size = len(rows) // 64
    rows = b"".join(b"\0" + rows[at : at + size] for at in range(0, len(rows), size))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, colors, 0, 0, 0)),
        (b"tRNS", struct.pack(f">{len(clear)}H", *clear)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk))
        for kind, chunk in chunks
    )
    photo = read_gray_photo(Path("a.png"), content)
    assert not photo.alpha[:20].any()
    assert photo.alpha[20:].min() == 255


def test_a_film_of_a_million_frames_takes_no_time():
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    photo = read_gray_photo(Path("a.gif"), head + frame * 1_000_000 + b"\x3b")
    assert photo.notes == ["first of 1000 frames or more"]


@pytest.mark.parametrize("name", [*KINDS, "a.psd"])
def test_the_limit_of_pixels_holds_for_every_kind(name):
    content = KINDS.get(name) or photoshop(data.camera())
    with (
        reading_limits(max_pixels=100_000, allow_truncated=False),
        pytest.raises(ImageError, match="megapixels"),
    ):
        read_gray_photo(Path(name), content)


def test_a_jpeg_of_endless_scans_is_refused(tmp_path):
    content = saved(CAMERA, "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    path = tmp_path / "scans.jpg"
    path.write_bytes(content[:-2] + last * 500 + content[-2:])
    for read in (read_gray_photo, read_rgb):
        with pytest.raises(ImageError, match="scans"):
            read(path)
