"""What a file says about its photo is said by the colour version, whatever the two formats are."""

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from pix2color.color.recompose import chroma_maps, recompose
from pix2color.imaging.deep import encode_deep
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import encode_planes

PICTURE = Image.fromarray(data.camera()).resize((48, 32))
OUTPUTS = ("jpg", "png", "tif", "webp", "avif")
HOLD_IPTC = ("jpg", "png", "tif")
needs_exiftool = pytest.mark.skipif(
    not shutil.which("exiftool"), reason="no exiftool; apt install libimage-exiftool-perl"
)


def dataset(record, number, content):
    return b"\x1c" + struct.pack(">BBH", record, number, len(content)) + content


IPTC = b"".join(
    (
        dataset(1, 90, b"\x1b%G"),
        dataset(2, 0, b"\0\2"),
        dataset(2, 120, "Markttag, über 1931".encode()),
        dataset(2, 80, b"A. Photographer"),
        dataset(2, 25, b"market"),
        dataset(2, 25, b"horses"),
        dataset(2, 116, b"the family"),
    )
)


def resource(number, content):
    head = b"8BIM" + struct.pack(">HHI", number, 0, len(content))
    return head + content + bytes(len(content) % 2)


def saved(kind, **options):
    file = io.BytesIO()
    PICTURE.save(file, kind, **options)
    return file.getvalue()


def jpeg(*segments):
    content = saved("JPEG")
    packed = b"".join(b"\xff\xed" + struct.pack(">H", len(s) + 2) + s for s in segments)
    return content[:2] + packed + content[2:]


def tiff(tag, kind, value):
    exif = Image.Exif()
    content = saved("TIFF", exif=exif)
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    entries = [content[at + 2 + 12 * i :][:12] for i in range(count)]
    size = {1: 1, 4: 4, 7: 1}[kind]
    value += bytes(-len(value) % 4)
    start = len(content)
    entries.append(struct.pack("<HHII", tag, kind, len(value) // size, start))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    place = start + len(value)
    content = content[:4] + struct.pack("<I", place) + content[8:] + value
    return content + struct.pack("<H", count + 1) + b"".join(entries) + bytes(4)


def swapped(content):
    content += bytes(-len(content) % 4)
    return np.frombuffer(content, ">u4").astype("<u4").tobytes()


def png(profile):
    info = PngInfo()
    digits = profile.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    info.add_text("Raw profile type iptc", f"\niptc\n{len(profile):8}\n{lines}\n", zip=True)
    return saved("PNG", pnginfo=info)


LONG = resource(0x03ED, b"x" * 90_000)  # some other one
HEAD = b"Photoshop 3.0\0"
WHOLE = LONG + resource(0x0404, IPTC) + resource(0x040C, b"a thumbnail, which is gray")
WITH_CAPTIONS = {
    "one.jpg": jpeg(HEAD + resource(0x0404, IPTC)),
    "split.jpg": jpeg(*(HEAD + WHOLE[i : i + 60_000] for i in range(0, len(WHOLE), 60_000))),
    "iptc.tif": tiff(33723, 7, IPTC),
    "numbers.tif": tiff(33723, 4, IPTC),
    "swapped.tif": tiff(33723, 4, swapped(IPTC)),
    "photoshop.tif": tiff(34377, 1, WHOLE),
    "profile.png": png(resource(0x0404, IPTC)),
    "bare.png": png(IPTC),
}


def colored(name, content, ending):
    """The colour version of a file: a few pixels with its metadata, as colorize writes it."""
    photo = read_gray_photo(Path(name), content)
    maps = chroma_maps(np.full((8, 8), 128, np.uint8), np.full((2, 8, 8), 0.15, np.float32))
    planes = recompose(photo.gray, maps)
    out = Path(f"out.{ending}")
    return encode_planes(out, planes, quality=90, metadata=photo.metadata.marked())


def exiftool(folder):
    """What exiftool finds in the files of a folder, by file name."""
    done = subprocess.run(
        ["exiftool", "-json", "-G1", "-struct", "-charset", "iptc=UTF8", *sorted(folder.iterdir())],
        capture_output=True,
        check=True,
    )
    return {Path(found["SourceFile"]).name: found for found in json.loads(done.stdout)}


@pytest.mark.parametrize("name", WITH_CAPTIONS)
def test_captions_come_through_every_format_that_holds_them(name):
    resources = read_gray_photo(Path(name), WITH_CAPTIONS[name]).metadata.resources
    assert IPTC in resources
    assert b"thumbnail" not in resources
    for ending in HOLD_IPTC:
        again = read_gray_photo(Path("a"), colored(name, WITH_CAPTIONS[name], ending))
        assert again.metadata.resources == resources, ending


@needs_exiftool
def test_exiftool_finds_the_captions(tmp_path):
    for name, content in WITH_CAPTIONS.items():
        for ending in OUTPUTS:
            (tmp_path / f"{name}.{ending}").write_bytes(colored(name, content, ending))
    found = exiftool(tmp_path)
    for name, ending in ((name, ending) for name in WITH_CAPTIONS for ending in OUTPUTS):
        tags = found[f"{name}.{ending}"]
        assert not any("Warning" in tag or "Error" in tag for tag in tags), tags
        if ending in HOLD_IPTC:
            assert tags["IPTC:Caption-Abstract"] == "Markttag, über 1931"
            assert tags["IPTC:By-line"] == "A. Photographer"
            assert tags["IPTC:Keywords"] == ["market", "horses"]
        else:  # which have no place for it
            assert tags["IFD0:ImageDescription"] == "Markttag, über 1931"
            assert tags["IFD0:Artist"] == "A. Photographer"
            assert tags["IFD0:Copyright"] == "the family"
        assert "XMP-iptcExt:DigitalSourceType" in tags


def with_texts():
    info = PngInfo()
    info.add_text("Title", "Aunt Mary, 1948")
    info.add_text("Author", "Studio Smith")
    info.add_itxt("Description", "Großmutter am Fenster", "de")
    info.add_text("Copyright", "family")
    info.add_text("Comment", "box 3")
    return saved("PNG", pnginfo=info)


WITH_COMMENTS = {
    "text.png": with_texts(),
    "c.gif": saved("GIF", comment=b"box 3"),
    "c.jpg": saved("JPEG", comment="Größe".encode("latin-1")),
}


def test_texts_and_comments_come_through():
    for name, content in WITH_COMMENTS.items():
        before = read_gray_photo(Path(name), content).metadata.texts
        again = read_gray_photo(Path("a.png"), colored(name, content, "png")).metadata.texts
        assert again == before
        assert before
    for name in ("c.gif", "c.jpg"):
        before = read_gray_photo(Path(name), WITH_COMMENTS[name]).metadata.texts
        content = colored(name, WITH_COMMENTS[name], "jpg")
        assert read_gray_photo(Path("a.jpg"), content).metadata.texts == before


@needs_exiftool
def test_exiftool_finds_texts_and_comments(tmp_path):
    for name, content in WITH_COMMENTS.items():
        for ending in OUTPUTS:
            (tmp_path / f"{name}.{ending}").write_bytes(colored(name, content, ending))
    found = exiftool(tmp_path)
    for ending in OUTPUTS:
        tags = found[f"text.png.{ending}"]
        group = {"png": "PNG"}.get(ending, "IFD0")
        names = {"PNG": ("Description", "Author", "Copyright")}
        wanted = "Großmutter am Fenster", "Studio Smith", "family"
        for tag, text in zip(
            names.get(group, ("ImageDescription", "Artist", "Copyright")), wanted, strict=True
        ):
            shown = [v for k, v in tags.items() if k.startswith(f"{group}:{tag}")]
            assert text in shown, (ending, tags)
        everything = " ".join(map(str, tags.values()))
        assert "Aunt Mary, 1948" in everything
        assert "box 3" in everything
        assert "box 3" in " ".join(map(str, found[f"c.gif.{ending}"].values()))
        assert "Größe" in " ".join(map(str, found[f"c.jpg.{ending}"].values()))


@pytest.mark.parametrize("ending", OUTPUTS)
def test_what_exif_says_keeps_its_letters(ending):
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "Großmutter".encode(), "Müller".encode()
    again = read_gray_photo(Path("a"), colored("a.jpg", saved("JPEG", exif=exif), ending))
    kept = Image.Exif()
    kept.load(again.metadata.exif)
    assert kept[0x010E].encode("latin-1").decode() == "Großmutter"
    assert kept[0x013B].encode("latin-1").decode() == "Müller"


def test_what_exif_says_stands_before_what_other_metadata_say():
    exif = Image.Exif()
    exif[0x010E] = "from EXIF"
    info = PngInfo()
    info.add_text("Description", "from PNG")
    again = read_gray_photo(
        Path("a"), colored("a.png", saved("PNG", exif=exif, pnginfo=info), "jpg")
    )
    kept = Image.Exif()
    kept.load(again.metadata.exif)
    assert kept[0x010E] == "from EXIF"
    assert ("Comment", "Description: from PNG") in again.metadata.texts


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_files_of_16_bits_have_them_too(ending):
    photo = read_gray_photo(Path("a.jpg"), WITH_CAPTIONS["one.jpg"])
    pixels = np.repeat(photo.gray[..., None].astype(np.uint16) * 257, 3, 2)
    content = encode_deep(Path(f"a.{ending}"), pixels, photo.metadata.marked())
    assert read_gray_photo(Path("a"), content).metadata.resources == photo.metadata.resources


@pytest.mark.parametrize(
    "hurt", [b"8BIM\x04\x04", HEAD + b"8BIM\x04\x04\0\0\xff\xff\xff\xff", HEAD]
)
def test_damaged_captions_do_not_lose_the_photo(hurt):
    assert colored("a.jpg", jpeg(hurt), "jpg")
    assert colored("a.tif", tiff(34377, 1, hurt), "tif")
    assert colored("a.png", png(hurt), "png")
