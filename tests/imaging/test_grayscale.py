"""Every kind of file a photo comes in, read."""

import io
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from pix2color.color.lab import rgb_to_gray
from pix2color.errors import ImageError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import read_rgb, reading_limits

CAMERA = Image.fromarray(data.camera()).resize((96, 72))
GRAY = np.asarray(CAMERA)


def to_lab(picture):
    lab = ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    return transform.apply(picture.convert("RGB"))


def deep(factor, dtype):
    return Image.fromarray((GRAY.astype(np.float64) * factor).astype(dtype))


KINDS = {
    "gray.jpg": (CAMERA, {"quality": 100}),
    "three-channels.jpg": (CAMERA.convert("RGB"), {"quality": 100}),
    "stored-as-rgb.jpg": (CAMERA.convert("RGB"), {"quality": 100, "keep_rgb": True}),
    "progressive.jpg": (CAMERA, {"quality": 100, "progressive": True}),
    "cmyk.jpg": (CAMERA.convert("RGB").convert("CMYK"), {"quality": 100}),
    "palette.png": (CAMERA.convert("P"), {}),
    "alpha.png": (Image.merge("LA", [CAMERA, CAMERA.rotate(180)]), {}),
    "16-bit.png": (deep(257, np.uint16), {}),
    "16-bit.tif": (deep(257, np.uint16), {}),
    "32-bit.tif": (deep(257, np.int32), {}),
    "32-bit-unsigned.tif": (Image.fromarray((GRAY * np.uint32(2**24)).view(np.int32)), {}),
    "float-1.tif": (deep(1 / 255, np.float32), {}),
    "float-255.tif": (deep(1, np.float32), {}),
    "lab.tif": (to_lab(CAMERA), {}),
    "cmyk.tif": (CAMERA.convert("RGB").convert("CMYK"), {}),
    "lossless.webp": (CAMERA.convert("RGB"), {"lossless": True}),
    "gray.bmp": (CAMERA, {}),
    "gray.gif": (CAMERA, {}),
    "gray.avif": (CAMERA, {"quality": 100}),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_gray(name, write_photo):
    picture, options = KINDS[name]
    photo = read_gray_photo(write_photo(name, picture, **options))
    # A CMYK picture without profile, AVIF and JPEG are not exact.
    np.testing.assert_allclose(photo.gray.astype(int), GRAY, atol=2)
    assert not photo.has_color
    assert (photo.alpha is not None) == (name == "alpha.png")


def test_black_and_white_in_one_bit(write_photo):
    photo = read_gray_photo(write_photo("fax.png", CAMERA.convert("1")))
    assert set(np.unique(photo.gray)) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_gray_and_alpha(orientation, write_photo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Leica"
    picture = Image.merge("LA", [CAMERA, CAMERA])
    path = write_photo("turned.png", picture, exif=exif)
    photo = read_gray_photo(path)
    with Image.open(path) as file:
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(file)
    assert np.array_equal(photo.gray, np.asarray(upright.getchannel("L")))
    assert np.array_equal(photo.alpha, np.asarray(upright.getchannel("A")))
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert dict(kept) == {0x010F: "Leica"}  # turning twice would be wrong


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_once(orientation, mode, compression, write_photo):
    """Pillow turns it itself, and what it maps into memory into something else."""
    upright = CAMERA.resize((90, 60))
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    picture = upright.transpose(stored[orientation]) if orientation in stored else upright
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write_photo("scan.tif", picture, exif=exif, compression=compression)
    photo = read_gray_photo(path)
    assert np.array_equal(photo.gray, np.asarray(upright))
    assert np.array_equal(np.asarray(read_rgb(path))[..., 0], np.asarray(upright))
    if photo.deep is not None:
        assert np.array_equal(photo.deep, np.asarray(upright).astype(np.uint16) * 257)
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert 0x0112 not in kept


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_gamma_of_a_png_counts(gamma, kind, write_photo):
    levels = np.asarray(CAMERA.resize((90, 60))) / 255
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    top = np.iinfo(kind).max
    path = write_photo("g.png", Image.fromarray(np.rint(light**gamma * top).astype(kind)))
    chunk = b"gAMA" + round(gamma * 100_000).to_bytes(4, "big")
    data, check = path.read_bytes(), zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(data[:33] + (4).to_bytes(4, "big") + chunk + check + data[33:])
    away = np.abs(read_gray_photo(path).gray - levels * 255)
    assert away.max() <= (1 if kind == np.uint16 else 7)  # 8 bits of light are coarse in the dark
    assert away.mean() < 0.6


def test_what_xmp_says_of_the_file_is_not_said_of_another(write_photo):
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:tiff="t:" xmlns:exif="e:" xmlns:GCamera="g:" xmlns:hdrgm="h:" xmlns:xmpNote="n:"'
        ' xmlns:Container="c:" tiff:Orientation="6" exif:PixelXDimension="640"'
        ' GCamera:MotionPhoto="1" hdrgm:Version="1.0" xmpNote:HasExtendedXMP="0123"'
        ' photoshop:City="Wien"><tiff:Orientation>6</tiff:Orientation><Container:Directory>'
        "<rdf:Seq><rdf:li/></rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA002] = 640
    path = write_photo("phone.jpg", CAMERA, xmp=packet.encode(), exif=exif)
    marked = read_gray_photo(path).metadata.marked()
    text = marked.xmp.decode()
    ElementTree.fromstring(text)
    assert "Wien" in text
    for word in ("Orientation", "Dimension", "MotionPhoto", "Version", "HasExtended", "Directory"):
        assert word not in text
    kept = Image.Exif()
    kept.load(marked.exif)
    assert 0xA002 not in kept.get_ifd(0x8769)


class TestProfiles:
    def test_gray_and_rgb_profiles_are_converted(self, write_photo):
        """A made-up linear space: its values are far from sRGB's."""
        linear = ImageCms.ImageCmsProfile(_linear_profile())
        ramp = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
        expected = rgb_to_gray(
            np.asarray(
                ImageCms.buildTransform(linear, ImageCms.createProfile("sRGB"), "RGB", "RGB").apply(
                    Image.fromarray(ramp).convert("RGB")
                )
            )
        )
        assert np.abs(expected.astype(int) - ramp).max() > 40
        for mode in ("RGB", "L"):
            picture = Image.fromarray(ramp).convert(mode)
            path = write_photo(f"{mode}.png", picture, icc_profile=linear.tobytes())
            gray = read_gray_photo(path).gray
            np.testing.assert_allclose(gray.astype(int), expected, atol=1)
            assert np.array_equal(np.asarray(read_rgb(path))[..., 1], gray)

    def test_a_broken_profile_does_not_lose_the_photo(self, write_photo):
        path = write_photo("a.jpg", CAMERA, icc_profile=b"garbage" * 40, quality=100)
        np.testing.assert_allclose(read_gray_photo(path).gray.astype(int), GRAY, atol=2)


def _linear_profile():
    """sRGB's primaries with a straight curve: the bytes of the sRGB profile, curve replaced."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for i in range(count):
        at = 132 + 12 * i
        if profile[at : at + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(profile[at + 4 : at + 8], "big")
            size = int.from_bytes(profile[at + 8 : at + 12], "big")
            curve = b"curv" + bytes(4) + (0).to_bytes(4, "big")  # no entries: the identity
            profile[offset : offset + size] = curve.ljust(size, b"\0")
        elif profile[at : at + 4] == b"desc":  # or it would be taken for sRGB
            offset = int.from_bytes(profile[at + 4 : at + 8], "big")
            size = int.from_bytes(profile[at + 8 : at + 12], "big")
            text = profile[offset : offset + size]
            text = text.replace("sRGB".encode("utf-16-be"), "Line".encode("utf-16-be"))
            profile[offset : offset + size] = text.replace(b"sRGB", b"Line")
    return io.BytesIO(bytes(profile))


class TestPages:
    def test_the_first_is_taken_and_it_is_said(self, write_photo):
        turned = [CAMERA.rotate(180), CAMERA.rotate(90)]
        more = {"save_all": True, "append_images": turned}
        for name, told in (("a.tif", "first of 3 pages"), ("a.gif", "first of 3 frames")):
            photo = read_gray_photo(write_photo(name, CAMERA, **more))
            assert photo.notes == [told]
            assert np.array_equal(photo.gray, GRAY)


class TestDamage:
    def test_truncated_files_are_refused_and_taken_on_demand(self, write_photo):
        for name in ("a.jpg", "a.png"):
            path = write_photo(name, CAMERA)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            with pytest.raises(ImageError, match=r"a\..*truncated.*--allow-truncated"):
                read_gray_photo(path)
            with reading_limits(max_pixels=10**6, allow_truncated=True):
                photo = read_gray_photo(path)
            np.testing.assert_allclose(photo.gray[:10].astype(int), GRAY[:10], atol=40)
            with pytest.raises(ImageError):  # the limits are those of the block
                read_gray_photo(path)

    def test_what_a_program_of_the_system_would_have_to_read_is_no_photo(self, tmp_path):
        path = tmp_path / "page.jpg"
        path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
        with pytest.raises(ImageError, match="of no format that is read here"):
            read_gray_photo(path)

    def test_a_small_file_that_unpacks_to_fill_the_memory_is_refused(self, write_photo):
        path = write_photo("bomb.png", Image.new("1", (20_000, 6_000)))
        assert path.stat().st_size < 50_000
        with (
            reading_limits(max_pixels=100_000_000, allow_truncated=False),
            pytest.raises(ImageError, match=r"bomb\.png: has more than 100 megapixels.*max-pixels"),
        ):
            read_gray_photo(path)
        with reading_limits(max_pixels=120_000_000, allow_truncated=False):
            assert read_gray_photo(path).gray.shape == (6_000, 20_000)
