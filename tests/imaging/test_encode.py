"""Coloured photos as files of every kind, with what else the photo's file held."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from skimage import data

from pix2color.color.recompose import Planes, chroma_maps, recompose
from pix2color.errors import ImageError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import encode_planes
from pix2color.imaging.metadata import SOURCE_TYPE, Metadata

CAMERA = Image.fromarray(data.camera()).resize((96, 72))
GRAY = np.asarray(CAMERA)


def _planes():
    maps = chroma_maps(np.full((8, 8), 128, np.uint8), np.full((2, 8, 8), 0.15, np.float32))
    return recompose(GRAY, maps)


class TestEncode:
    @pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "bmp", "avif"])
    def test_the_picture_is_in_the_file(self, ending, tmp_path):
        path = tmp_path / f"a.{ending}"
        path.write_bytes(encode_planes(path, _planes(), quality=98))
        truth = np.asarray(_planes().to_picture()).astype(int)
        with Image.open(path) as file:
            assert (file.mode, file.size) == ("RGB", CAMERA.size)
            away = np.abs(np.asarray(file).astype(int) - truth)
        assert away.mean() < (0.01 if ending in ("png", "tif", "bmp") else 3)

    def test_alpha_is_kept_where_the_format_has_it(self, tmp_path):
        alpha = np.full(GRAY.shape, 77, np.uint8)
        for ending in ("png", "tif", "webp"):
            data = encode_planes(tmp_path / f"a.{ending}", _planes(), quality=92, alpha=alpha)
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).getchannel("A")), alpha)
        clear = encode_planes(tmp_path / "a.jpg", _planes(), quality=92, alpha=np.zeros_like(alpha))
        assert Image.open(io.BytesIO(clear)).getextrema() == ((255, 255),) * 3

    @pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "avif"])
    def test_metadata_is_carried_over_with_a_note(self, ending, write_photo):
        exif = Image.Exif()
        exif[0x010E], exif[0x0112] = "Grandma, 1931", 1
        exif.get_ifd(0x8769)[0x9003] = "1931:07:05 12:00:00"
        xmp = (
            b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
            b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
            b'rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="album 3"'
            b' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
            b' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/print"'
            b"/></rdf:RDF></x:xmpmeta>"
        )
        path = write_photo("a.jpg", CAMERA, exif=exif, xmp=xmp, dpi=(300, 300), comment=b"scan 7")
        metadata = read_gray_photo(path).metadata.marked()
        out = path.with_name(f"out.{ending}")
        out.write_bytes(encode_planes(out, _planes(), quality=92, metadata=metadata))
        with Image.open(out) as file:
            file.load()
            kept = file.getexif()
            assert kept[0x010E] == "Grandma, 1931"
            assert "colours added by software" in kept[0x000B]
            assert kept.get_ifd(0x8769)[0x9003] == "1931:07:05 12:00:00"
            packet = file.info["xmp"].decode()
            assert packet.count("DigitalSourceType>") == 2  # opened and closed: the old one is gone
            assert SOURCE_TYPE in packet
            assert 'dc:source="album 3"' in packet
            _parses(packet)
            if ending in ("jpg", "png", "tif"):
                assert [round(float(v)) for v in file.info["dpi"]] == [300, 300]
            if ending == "jpg":
                assert file.info["comment"] == b"scan 7"
                assert file.app["APP0"][:4] == b"JFIF"

    def test_a_note_is_made_where_there_was_nothing(self):
        metadata = Metadata().marked()
        assert SOURCE_TYPE.encode() in metadata.xmp
        _parses(metadata.xmp.decode())
        assert Metadata(xmp=b"no xml at all").marked().xmp == metadata.xmp

    def test_iptc_captions_stay_in_jpeg(self, write_photo):
        caption = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02x\0\x03Mum"
        segment = b"\xff\xed" + (len(caption) + 2).to_bytes(2, "big") + caption
        path = write_photo("a.jpg", CAMERA, extra=segment)
        out = encode_planes(
            path, _planes(), quality=92, metadata=read_gray_photo(path).metadata.marked()
        )
        assert dict(Image.open(io.BytesIO(out)).applist)["APP13"] == caption

    def test_damaged_metadata_does_not_lose_the_photo(self, write_photo):
        path = write_photo("a.jpg", CAMERA, exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff", dpi=(0, 0))
        photo = read_gray_photo(path)
        assert photo.gray.shape == GRAY.shape
        assert encode_planes(path, _planes(), quality=92, metadata=photo.metadata.marked())

    def test_what_a_format_cannot_hold_is_an_error(self, tmp_path):
        strip = np.zeros((2, 70_000), np.uint8)
        planes = Planes(strip, strip[:1, ::2].copy(), strip[:1, ::2].copy())
        with pytest.raises(ImageError, match=r"a\.jpg: cannot be written"):
            encode_planes(tmp_path / "a.jpg", planes, quality=92)


def _parses(packet):

    start, end = packet.index("<x:xmpmeta"), packet.index("</x:xmpmeta>") + len("</x:xmpmeta>")
    ElementTree.fromstring(packet[start:end])
