"""TIFF files of every kind, as scanners, archives and darkrooms write them, against tifffile."""

import io
import struct
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke
from PIL import Image
from skimage import data

from pix2color.errors import ImageError, MissingExtraError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import read_rgb, reading_limits

tifffile = pytest.importorskip("tifffile", reason="pip install 'pix2color[formats]'")

GRAY = np.asarray(Image.fromarray(data.camera()).resize((80, 56)))
SHARES = GRAY / 255
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]
OTHER = np.tile(np.linspace(0, 1, 80), (56, 1))  # infrared, or transparency


def written(values, **options):
    """The bytes of a TIFF file."""
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def read(content):
    return read_gray_photo(Path("scan.tif"), content)


def of_type(shares, kind):
    kind = np.dtype(kind)
    return shares.astype(kind) if kind.kind == "f" else np.rint(shares * top(kind)).astype(kind)


def top(kind):
    return np.iinfo(kind).max if np.dtype(kind).kind in "ui" else 1


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("colors", ["minisblack", "miniswhite", "rgb"])
def test_every_kind_comes_out_right(colors, kind):
    for extra, planes, packing, order, tile in product(
        (None, "unspecified", "unassalpha", "assocalpha"),
        ("contig", "separate"),
        ({"compression": None}, {"compression": "lzw", "predictor": kind[0] != "f"}),
        "<>",
        (None, (32, 32)),
    ):
        if planes == "separate" and colors != "rgb" and not extra:
            continue
        if colors == "miniswhite" and extra == "assocalpha":  # nobody says what that means
            continue
        shares = 1 - SHARES if colors == "miniswhite" else SHARES
        channels = [shares * OTHER if extra == "assocalpha" else shares] * (
            1 + 2 * (colors == "rgb")
        )
        if extra:
            channels.append(OTHER)
        values = of_type(np.stack(channels, -1), kind)
        if planes == "separate":
            values = np.moveaxis(values, -1, 0).copy()
        options = {"planarconfig": planes, "extrasamples": [extra]} if extra else {}
        if colors == "rgb":
            options["planarconfig"] = planes
        elif not extra:
            values = values[..., 0]
        content = written(
            values, photometric=colors, byteorder=order, tile=tile, **options, **packing
        )
        photo = read(content)
        what = (extra, planes, packing, order, tile)
        # What was multiplied by its transparency has lost bits where there is little of it.
        sound = OTHER > 0.25 if extra == "assocalpha" else OTHER >= 0
        away = np.abs(photo.gray.astype(int) - GRAY)[sound]
        assert away.max() <= (8 if extra == "assocalpha" else 1), what
        if extra in (None, "unspecified"):
            assert photo.alpha is None, what
        else:
            assert np.abs(photo.alpha - OTHER * 255).max() <= (2 if kind == "i1" else 1), what
        assert not photo.has_color


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("colors", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", ["u2", "i2", "u4", "f4"])
def test_their_16_bits_are_kept(kind, colors, order):
    shares = np.linspace(0, 1, 64 * 48).reshape(48, 64)
    values = of_type(1 - shares if colors == "miniswhite" else shares, kind)
    photo = read(written(values, photometric=colors, byteorder=order))
    assert np.abs(photo.deep - shares * 65535).max() <= (2 if kind == "i2" else 1)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zstd"},
        {"compression": "jpeg2000"},
        {"compression": "packbits"},
        {"compression": "zlib", "predictor": True, "bigtiff": True},
        {"bitspersample": 12},
        {"photometric": "miniswhite", "compression": "deflate"},
    ],
)
def test_packed_ones_are_unpacked(options):
    bits = options.get("bitspersample", 16)
    shares = 1 - SHARES if options.get("photometric") else SHARES
    values = np.rint(shares * (2**bits - 1)).astype(np.uint16)
    photo = read(written(values, **{"photometric": "minisblack", **options}))
    assert np.abs(photo.gray.astype(int) - GRAY).max() <= 1


TWELVE = np.rint(SHARES * 4095).astype(np.uint16)
ONE_OVER = SHARES.astype(np.float32).copy()
ONE_OVER[3, 4] = 1.3
MANY_OVER = np.float32(SHARES * 1.2)
WITH_GAPS = SHARES.astype(np.float32).copy()
WITH_GAPS[0, :3] = np.nan, np.inf, -np.inf


@pytest.mark.parametrize(
    ("values", "tags", "told"),
    [
        (TWELVE, [(281, "H", 1, 4095)], False),
        (TWELVE, [], True),
        (np.rint(SHARES * 10_000).astype(np.uint16), [(281, "H", 1, 10_000)], False),
        (np.rint(SHARES * 65535).astype(np.uint16), [(281, "H", 1, int(GRAY.max()) * 257)], False),
        (ONE_OVER, [], True),
        (MANY_OVER, [], True),
        (np.float32(SHARES * 100), [], True),
        (np.float32(SHARES * 255), [], False),
        (np.float32(SHARES * 65535), [], False),
        (np.float32(SHARES * 2 - 1), [], True),
        (np.float32(SHARES * 8), [(340, "f", 1, 0.0), (341, "f", 1, 8.0)], None),
        (WITH_GAPS, [], False),
        (np.float32(SHARES - 0.02), [], True),
        (np.int16(TWELVE) - 20, [], True),
    ],
)
def test_values_mean_what_the_file_says_or_what_they_reach(values, tags, told):
    extratags = [(*tag, False) for tag in tags]
    photo = read(written(values, photometric="minisblack", extratags=extratags))
    factor = 1.2 if values is MANY_OVER else 1
    away = np.abs(photo.gray.astype(int) - (SHARES * factor).clip(0, 1) * 255)[1:]
    assert np.quantile(away, 0.999) <= 6
    if told is not None:
        assert bool(photo.notes) == told


def test_the_photo_is_taken_and_not_its_thumbnail():
    small = np.zeros((20, 30), np.uint8)
    for colors in ("minisblack", "miniswhite"):
        file = io.BytesIO()
        values = of_type(1 - SHARES if colors == "miniswhite" else SHARES, "u2")
        with tifffile.TiffWriter(file) as tiff:
            tiff.write(small, subfiletype=1)
            tiff.write(values, photometric=colors)
            tiff.write(small)
        photo = read(file.getvalue())
        assert np.array_equal(photo.gray, GRAY)
        assert photo.notes == ["first of 2 pages"]


def test_a_photo_below_its_thumbnail_is_found():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as tiff:
        tiff.write(np.zeros((20, 30), np.uint8), subfiletype=1, subifds=1)
        tiff.write(GRAY, photometric="minisblack")
    assert np.array_equal(read(file.getvalue()).gray, GRAY)


@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_what_belongs_to_a_photo_comes_with_it(kind):
    """Orientation, resolution and text of one that Pillow cannot read."""
    values = of_type(1 - np.rot90(SHARES, 1), kind)
    content = written(
        values,
        photometric="miniswhite",
        resolution=(300, 300),
        resolutionunit=2,
        description="Grandma, 1931",
        metadata=None,
        extratags=[(274, "H", 1, 6, False)],
    )
    photo = read(content)
    assert np.array_equal(photo.gray, GRAY)
    assert np.array_equal(np.asarray(read_rgb_of(content))[..., 0], GRAY)
    assert photo.metadata.dpi == pytest.approx((300, 300))
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert kept[270].strip("\0") == "Grandma, 1931"
    assert 274 not in kept


def read_rgb_of(content):
    from pix2color.imaging.io import open_picture, to_rgb

    with open_picture(Path("scan.tif"), content) as file:
        return to_rgb(file)


RARE = written(of_type(1 - SHARES, "u2"), photometric="miniswhite")


@pytest.mark.parametrize("package", ["tifffile", "imagecodecs"])
def test_without_the_extra_nothing_comes_out_as_something_else(package, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    content = written(of_type(1 - SHARES, "u2"), photometric="miniswhite", compression="zlib")
    (tmp_path / "scan.tif").write_bytes(content)
    with pytest.raises(MissingExtraError, match=r"scan\.tif.*pix2color\[formats\]"):
        read_rgb(tmp_path / "scan.tif")
    done = invoke("colorize", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "pip install 'pix2color[formats]'" in done.stderr
    plain = written(GRAY, photometric="miniswhite", compression=None)
    assert np.array_equal(read(plain).gray, 255 - GRAY)  # Pillow reads that one right


@pytest.mark.parametrize("colors", [32844, 32845, 4, 32803])
def test_kinds_that_nobody_reads_are_refused_by_name(colors):
    content = written(of_type(SHARES, "u2"), photometric="minisblack")
    at = content.index(struct.pack("<HHI", 262, 3, 1))
    content = content[: at + 8] + struct.pack("<H", colors) + content[at + 10 :]
    with pytest.raises(ImageError, match=r"scan\.tif"):
        read(content)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
def test_damage_in_them_is_named(compression):
    content = written(of_type(1 - SHARES, "u2"), photometric="miniswhite", compression=compression)
    with pytest.raises(ImageError, match=r"scan\.tif"):
        read(content[: len(content) * 2 // 3])
    if compression:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            start = file.pages[0].dataoffsets[0]
        with pytest.raises(ImageError, match=r"scan\.tif"):
            read(content[: start + 100] + b"\xff" * 400 + content[start + 500 :])


def test_small_files_that_would_fill_the_memory_are_refused():
    for width, height, samples in ((60_000, 60_000, 1), (100, 100, 60_000)):
        content = RARE
        for tag, kind, value in ((256, "I", width), (257, "I", height), (277, "H", samples)):
            code = {"H": 3, "I": 4}[kind]
            at = content.index(struct.pack("<HHI", tag, code, 1))
            value = struct.pack(f"<{kind}", value)
            content = content[: at + 8] + value + content[at + 8 + len(value) :]
        with (
            reading_limits(max_pixels=10**8, allow_truncated=False),
            pytest.raises(ImageError, match=r"scan\.tif"),
        ):
            read(content)


def test_a_chain_of_a_million_pages_takes_no_time():
    """Each has an entry or none, and says where the next is; the last one is the first again."""
    first = written(GRAY, photometric="minisblack", metadata=None)
    (at,) = struct.unpack_from("<I", first, 4)
    (count,) = struct.unpack_from("<H", first, at)
    link, size = at + 2 + 12 * count, 6
    start = len(first)
    chain = b"".join(struct.pack("<HI", 0, start + size * (i + 1)) for i in range(500_000))
    chain += struct.pack("<HI", 0, at)
    content = first[:link] + struct.pack("<I", start) + first[link + 4 :] + chain
    photo = read(content)
    assert np.array_equal(photo.gray, GRAY)
    assert photo.notes == ["first of 1000 pages or more"]
