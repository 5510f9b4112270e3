"""Metadata of a photo file, carried over to its colour version: one model for all formats.

A note is added that software made the colours: IPTC's digital source type, in XMP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pix2color import __version__
from pix2color.imaging.captions import (
    HEAD,
    IPTC_TAG,
    RESOURCES_TAG,
    as_raw_profile,
    captions_of,
    carried_resources,
    iptc_of,
)
from pix2color.imaging.exif import carried_exif, dump_exif, load_exif, with_statements
from pix2color.imaging.xmp import SOURCE_TYPE, with_note

__all__ = ["SOURCE_TYPE", "Metadata"]

_SOFTWARE = f"pix2color {__version__} (colours added by software)"
_PROCESSING_SOFTWARE, _XMP = 0x000B, 700
_DESCRIPTION, _ARTIST, _COPYRIGHT = 0x010E, 0x013B, 0x8298
_SEGMENT = 65_000  # bytes that one segment of a JPEG file can hold, nearly
_APP13 = b"\xff\xed"
_COMMENT = "Comment"
# Texts of PNG that are metadata of another kind, or about the file.
_NO_TEXTS = ("Raw profile", "XML:", "date:", "exif:", "tiff:", "png:", "jpeg:", "icc:", "Thumb::")
# Texts of PNG and of IPTC, and the tags of EXIF that mean the same; the first that is there counts.
_STATEMENTS = {
    _DESCRIPTION: (("Description", "Title"), (120, 105, 5)),
    _ARTIST: (("Author", "Artist"), (80,)),
    _COPYRIGHT: (("Copyright",), (116,)),
}


@dataclass(frozen=True)
class Metadata:
    """What a photo's file says about the photo.

    Attributes:
        exif: EXIF as bytes.
        xmp: an XMP packet.
        resources: Photoshop's image resources with IPTC's captions and the rights.
        texts: pairs of keyword and text, as PNG has them; comments of JPEG and GIF are ``Comment``.
        dpi: resolution in dots per inch, across and down.
    """

    exif: bytes = b""
    xmp: bytes = b""
    resources: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None

    @classmethod
    def from_picture(cls, image: Image.Image) -> Metadata:
        """Return the metadata of an opened file; what cannot be read is left out."""
        info = image.info
        xmp = info.get("xmp", info.get("XML:com.adobe.xmp", b""))
        return cls(
            exif=carried_exif(image),
            xmp=xmp.encode() if isinstance(xmp, str) else bytes(xmp),
            resources=carried_resources(image),
            texts=_texts(image),
            dpi=_dpi(info.get("dpi")),
        )

    def marked(self) -> Metadata:
        """Return the same metadata, saying that its colours were made by software."""
        exif = load_exif(self.exif)
        exif[_PROCESSING_SOFTWARE] = _SOFTWARE
        return replace(self, exif=dump_exif(exif), xmp=with_note(self.xmp, _SOFTWARE))

    def save_options(self, file_format: str) -> dict[str, Any]:
        """Return keywords for ``Image.save``, as far as the format can hold the metadata.

        What it cannot hold as it is, captions and texts, it gets as EXIF, unless that says
        something else already.
        """
        options: dict[str, Any] = {"dpi": self.dpi} if self.dpi else {}
        if file_format == "BMP":
            return options
        add = {"JPEG": self._for_jpeg, "PNG": self._for_png, "TIFF": self._for_tiff}
        options |= add.get(file_format, self._for_others)()
        return {name: value for name, value in options.items() if value}

    def _for_jpeg(self) -> dict[str, Any]:
        exif = with_statements(self.exif, self._statements(captions=False))
        # A longer one would take several segments; then the note alone is better than nothing.
        xmp = self.xmp if len(self.xmp) < _SEGMENT else with_note(b"", _SOFTWARE)
        comment = self._comment().encode()[:_SEGMENT]
        parts = range(0, len(self.resources), _SEGMENT)
        segments = [HEAD + self.resources[i : i + _SEGMENT] for i in parts]
        extra = b"".join(_APP13 + (len(s) + 2).to_bytes(2, "big") + s for s in segments)
        fits = exif if len(exif) < _SEGMENT else b""
        return {"exif": fits, "xmp": xmp, "comment": comment, "extra": extra}

    def _for_png(self) -> dict[str, Any]:
        info = PngInfo()
        for keyword, text in self.texts:
            info.add_text(keyword, text)
        if self.xmp:
            info.add_itxt("XML:com.adobe.xmp", self.xmp.decode("utf-8", "replace"))
        if self.resources:
            info.add_text("Raw profile type iptc", as_raw_profile(self.resources), zip=True)
        return {"exif": self.exif, "pnginfo": info}

    def _for_tiff(self) -> dict[str, Any]:
        comment = self._comment()
        exif = load_exif(with_statements(self.exif, self._statements(captions=False), comment))
        for tag, content in (
            (_XMP, self.xmp),
            (IPTC_TAG, iptc_of(self.resources)),
            (RESOURCES_TAG, self.resources),
        ):
            if content:
                exif[tag] = content
        return {"exif": exif if len(exif) else None}

    def _for_others(self) -> dict[str, Any]:
        exif = with_statements(self.exif, self._statements(captions=True), self._comment())
        return {"exif": exif, "xmp": self.xmp}

    def _statements(self, *, captions: bool) -> dict[int, str]:
        """Return what texts and, if asked for, captions say, by tags that EXIF does not have."""
        texts, exif = dict(self.texts), load_exif(self.exif)
        numbers = captions_of(self.resources) if captions else {}
        return {
            tag: next((texts[k] for k in keywords if k in texts), "")
            or next((numbers[n] for n in records if n in numbers), "")
            for tag, (keywords, records) in _STATEMENTS.items()
            if not str(exif.get(tag, "")).strip(" \0")
        }

    def _comment(self) -> str:
        """Return the comment, and all texts for which there is no tag in EXIF."""
        stated = set(self._statements(captions=False).values())
        lines = [
            text if keyword == _COMMENT else f"{keyword}: {text}"
            for keyword, text in self.texts
            if keyword == _COMMENT or text not in stated
        ]
        return "\n".join(lines)


def is_colored_by_us(image: Image.Image) -> bool:
    """Return whether an opened file says that we have made its colours; see ``Metadata.marked``."""
    try:
        return str(image.getexif().get(_PROCESSING_SOFTWARE, "")).startswith("pix2color")
    except Exception:  # damaged metadata says nothing
        return False


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    if image.format == "PNG":
        found = getattr(image, "text", {}).items()
        return tuple((k, text) for k, text in found if not k.startswith(_NO_TEXTS))
    comments = [data for name, data in getattr(image, "applist", []) if name == "COM"]
    comments = comments or [image.info.get("comment", b"")]
    texts = [_decoded(comment).strip("\0") for comment in comments]
    return tuple((_COMMENT, text) for text in texts if text)


def _decoded(comment: bytes | str) -> str:
    if isinstance(comment, str):
        return comment
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(v) and 1 < v < 65_536 for v in (x, y)) else None
