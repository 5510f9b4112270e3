"""Metadata of a photo file, carried over to its colour version.

A note is added that software made the colours: IPTC's digital source type, in XMP.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from pix2color import __version__

# https://cv.iptc.org/newscodes/digitalsourcetype: "edited using generative AI".
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_SOFTWARE = f"pix2color {__version__} (colours added by software)"
_PROCESSING_SOFTWARE, _ORIENTATION, _RESOLUTION = 0x000B, 0x0112, (0x011A, 0x011B, 0x0128)
# Tags of a TIFF file that describe how its pixels are laid out, not the photo.
_LAYOUT = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284}
    | {288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325}
    | {330, 332, 333, 334, 336, 337, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515}
    | {529, 530, 531, 532, 700, 33723, 34377, 34675, 37724}
)
_SIZES = {0xA002, 0xA003}
_LONGEST = 65_000  # bytes that one segment of a JPEG file can hold, nearly
_PHOTOSHOP = 0xFFED
_XMP = 700

# What XMP says that the note replaces, or that is not true any more: the picture is upright, and
# what lay behind it in the file (a gain map, a film, more XMP) is gone.
_UNTRUE = (
    r"(?:\w{1,99}:(?:DigitalSourceType|Orientation|ImageWidth|ImageLength|PixelXDimension"
    r"|PixelYDimension|HasExtendedXMP)|(?:GCamera|hdrgm):\w{1,99}|Container:Directory)"
)

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
_NOTE = """<rdf:Description rdf:about={about}
   xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
   xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>{tool}
  </rdf:Description>
 """


@dataclass(frozen=True)
class Metadata:
    """EXIF, XMP, IPTC and comment as bytes, resolution in dots per inch."""

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    comment: bytes = b""
    dpi: tuple[float, float] | None = None

    @classmethod
    def from_picture(cls, image: Image.Image) -> Metadata:
        """Return the metadata of an opened file; what cannot be read is left out."""
        info = image.info
        segments = dict(getattr(image, "applist", []))
        xmp = info.get("xmp", info.get("XML:com.adobe.xmp", b""))
        comment = info.get("comment", b"")
        return cls(
            exif=_exif(image),
            xmp=xmp.encode() if isinstance(xmp, str) else bytes(xmp),
            iptc=segments.get("APP13", b""),
            comment=comment.encode() if isinstance(comment, str) else bytes(comment),
            dpi=_dpi(info.get("dpi")),
        )

    def marked(self) -> Metadata:
        """Return the same metadata, saying that its colours were made by software."""
        exif = Image.Exif()
        if self.exif:
            exif.load(self.exif)
        exif[_PROCESSING_SOFTWARE] = _SOFTWARE
        xmp = self.xmp if len(self.xmp) < _LONGEST else b""  # longer ones cannot be written
        return replace(self, exif=exif.tobytes(), xmp=_with_note(xmp))

    def save_options(self, file_format: str) -> dict[str, Any]:
        """Return keywords for ``Image.save``, as far as the format can hold the metadata."""
        options: dict[str, Any] = {"dpi": self.dpi} if self.dpi else {}
        if file_format == "BMP":
            return options
        if len(self.exif) < _LONGEST:
            options["exif"] = self.exif
        if len(self.xmp) < _LONGEST:
            if file_format == "PNG":
                options["pnginfo"] = info = PngInfo()
                info.add_itxt("XML:com.adobe.xmp", self.xmp.decode("utf-8", "replace"))
            elif file_format == "TIFF":
                exif = Image.Exif()
                exif.load(self.exif)
                exif[_XMP] = self.xmp
                options["exif"] = exif.tobytes()
            else:
                options["xmp"] = self.xmp
        if file_format == "JPEG":
            if 0 < len(self.iptc) < _LONGEST:
                length = (len(self.iptc) + 2).to_bytes(2, "big")
                options["extra"] = _PHOTOSHOP.to_bytes(2, "big") + length + self.iptc
            options["comment"] = self.comment[:_LONGEST]
        return {name: value for name, value in options.items() if value}


def is_colored_by_us(image: Image.Image) -> bool:
    """Return whether an opened file says that we have made its colours; see ``Metadata.marked``."""
    try:
        return str(image.getexif().get(_PROCESSING_SOFTWARE, "")).startswith("pix2color")
    except Exception:  # damaged metadata says nothing
        return False


def _exif(image: Image.Image) -> bytes:
    exif = Image.Exif()
    try:
        exif.load(image.getexif().tobytes())  # a copy: the picture still needs its orientation
        for tag in set(exif) & (_LAYOUT | {_ORIENTATION, *_RESOLUTION}):
            del exif[tag]
        details = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
        for tag in _SIZES & set(details):  # of the photo before it was turned
            del details[tag]
        data = exif.tobytes() if len(exif) else b""
        Image.Exif().load(data)
    except Exception:  # damaged metadata is no reason to lose the photo
        return b""
    return data


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(v) and 1 < v < 65_536 for v in (x, y)) else None


def _with_note(xmp: bytes) -> bytes:
    """Return an XMP packet, or a new one, with the note and without what is not true."""
    packet = xmp.rstrip(b"\x00 ").decode("utf-8", "replace")
    if "</rdf:RDF>" not in packet:
        packet = _PACKET
    packet = _without_elements(packet)
    # Bounded, or many that never end take the square of their time.
    packet = re.sub(rf"\s{_UNTRUE}\s?=\s?(\"[^\"]{{0,999}}\"|'[^']{{0,999}}')", "", packet)
    about = re.search(r"rdf:about\s?=\s?(\"[^\"<]{0,999}\"|'[^'<]{0,999}')", packet)
    tool = "" if "CreatorTool" in packet else f"\n   <xmp:CreatorTool>{_SOFTWARE}</xmp:CreatorTool>"
    note = _NOTE.format(about=about[1] if about else '""', source=SOURCE_TYPE, tool=tool)
    head, end, tail = packet.rpartition("</rdf:RDF>")
    return (head + note + end + tail).encode()


def _without_elements(packet: str) -> str:
    """Return an XMP packet without elements that are not true."""
    kept, at = [], 0
    for tag in re.finditer(rf"<({_UNTRUE})\b[^<>]*>", packet):
        if tag.start() < at:  # within one that was left out
            continue
        end = tag.end()
        if not tag[0].endswith("/>"):
            end = packet.find(">", packet.find(f"</{tag[1]}", end)) + 1
            if end <= tag.end():  # it never ends: this is no XML
                break
        kept.append(packet[at : tag.start()])
        at = end
    return "".join(kept) + packet[at:]
