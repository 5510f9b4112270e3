"""Photo files of every kind to upright 8-bit sRGB and back."""

from __future__ import annotations

import io
import os
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile, features

from pix2color.errors import DataError, ImageError, MissingPathError

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
    | ({".avif"} if features.check("avif") else set())
)
_HOST = "".join(c for c in socket.gethostname() if c.isalnum())  # folders may be shared
_Profile = ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def find_photos(folder: Path) -> list[Path]:
    """All photos below ``folder``, by file name ending, sorted; hidden files are passed over.

    Raises:
        MissingPathError: there is no such folder.
        DataError: it holds no photo.
    """
    if not folder.is_dir():
        raise MissingPathError(f"{folder}: no such folder; name one that holds photos")
    photos, visited = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in visited:  # a link back to where we have been
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [
            Path(parent) / name
            for name in names
            if Path(name).suffix.lower() in PHOTO_SUFFIXES and not name.startswith(".")
        ]
    if not photos:
        raise DataError(
            f"{folder}: no photo in it or below it; known endings are "
            + " ".join(sorted(PHOTO_SUFFIXES))
        )
    return sorted(photos)


def read(path: Path, *, min_side: int | None = None) -> Image.Image:
    """Read a photo upright, as an 8-bit sRGB picture in mode RGB.

    Transparency is laid on white; for everything else see ``standard``.

    Args:
        path: the file.
        min_side: if given, a JPEG may be decoded at a fraction of its size, as long as its
            short side keeps at least this many pixels (several times faster).

    Raises:
        ImageError: the file is no picture, damaged, or too large to be one.
    """
    with opened(path) as file:
        if min_side is not None:
            shrink = min(1.0, min_side / min(file.size))
            file.draft("RGB", (round(file.width * shrink), round(file.height * shrink)))
        return without_alpha(standard(file)).convert("RGB")


@contextmanager
def opened(path: Path, data: bytes | None = None) -> Iterator[Image.Image]:
    """A photo's file, not decoded yet; whatever goes wrong in the block is an ``ImageError``.

    Args:
        path: of the file.
        data: its bytes, if they have been read already.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about sizes and odd metadata
            with Image.open(path if data is None else io.BytesIO(data)) as file:
                limit = Image.MAX_IMAGE_PIXELS
                if limit and file.width * file.height > 2 * limit:
                    raise Image.DecompressionBombError(file.size)
                yield file
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path}: has more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels; "
            "if it is to be trusted, raise --max-pixels"
        ) from error
    except Exception as error:  # on damaged files Pillow raises whatever comes up
        reason = _reason(error)
        if any(word in reason.lower() for word in ("truncated", "broken data stream")):
            reason += "; --allow-truncated takes what is there"
        raise ImageError(f"{path}: cannot be read as a picture ({reason})") from error


@contextmanager
def limits(*, max_pixels: int, allow_truncated: bool) -> Iterator[None]:
    """Pillow's own limits, for all threads, while the block runs.

    Args:
        max_pixels: larger pictures are refused: a small file can unpack to fill the memory.
        allow_truncated: files that end too early are decoded as far as they go.
    """
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    # Pillow refuses what is twice its figure, and only warns of the rest.
    Image.MAX_IMAGE_PIXELS = max(1, max_pixels // 2)
    ImageFile.LOAD_TRUNCATED_IMAGES = allow_truncated
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def standard(image: Image.Image) -> Image.Image:
    """Any picture that Pillow opens as upright 8-bit sRGB, in mode L, LA, RGB or RGBA.

    Colour profiles (ICC) are converted, EXIF orientation is applied, 16-bit values are scaled.
    Floating-point pictures reach to 1, 255 or 65535, the least of these that holds all values.
    """
    turn = orientation(image)
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    elif image.mode == "LAB":
        image = _converted(image, ImageCms.createProfile("LAB"))
    elif image.mode == "P" or image.mode == "PA":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "CMYK" and profile:
        image = _from_profile(image, profile)
        profile = None
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        gray = image.mode in ("1", "La")
        alpha = "A" if image.has_transparency_data else ""
        image = image.convert(("L" if gray else "RGB") + alpha)
    elif image.mode in ("L", "RGB") and image.has_transparency_data:  # one colour that is clear
        image = image.convert(image.mode + "A")
    if profile:
        image = _from_profile(image, profile)
    image.load()
    return upright(image, turn)


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Turned as an EXIF orientation of 1 to 8 asks."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """``upright`` for an array (H, W)."""
    return np.asarray(upright(Image.fromarray(pixels), turn)) if turn in _TURNS else pixels


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 if there is none or it cannot be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to lose the photo
        return 1
    return value if value in _TURNS else 1


def without_alpha(image: Image.Image) -> Image.Image:
    """Transparency laid on white; L or RGB."""
    if not image.mode.endswith("A"):
        return image
    ground = Image.new(image.mode[:-1], image.size, "white")
    ground.paste(image.convert(image.mode[:-1]), mask=image.getchannel("A"))
    return ground


def write(path: Path, picture: Image.Image, *, quality: int = 95) -> None:
    """Write a picture in the format of the name's ending; never leaves half a file.

    Raises:
        ImageError: the ending is unknown or the file cannot be written.
    """
    try:
        data = encode(picture, format_of(path), quality, {"subsampling": 0})
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be written ({_reason(error)})") from error
    put(path, data)


def format_of(path: Path) -> str:
    """Pillow's name of the format that a file name's ending asks for.

    Raises:
        ImageError: there is none that can be written.
    """
    file_format = Image.registered_extensions().get(path.suffix.lower())
    if file_format is None or file_format not in Image.SAVE:
        raise ImageError(f"{path}: no format is known for this ending; use .jpg or .png")
    return file_format


def encode(picture: Image.Image, file_format: str, quality: int, options: dict[str, Any]) -> bytes:
    """A picture as the bytes of a file.

    Args:
        picture: in a mode that the format has.
        file_format: Pillow's name of it.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        options: further keywords of ``Image.save``.
    """
    buffer = io.BytesIO()
    if file_format in ("JPEG", "WEBP", "AVIF"):
        options = {"quality": quality, **options}
    picture.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def put(path: Path, data: bytes, before_rename: Callable[[], None] | None = None) -> None:
    """Write a file; never leaves half of it.

    Args:
        path: of the file; folders are made.
        data: what it will hold.
        before_rename: called when all is written and only the name is missing.

    Raises:
        ImageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
            if before_rename:
                before_rename()
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({_reason(error)})") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` that takes its place only if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes of this machine have left in a folder."""
    for left in folder.glob(f".*.{_HOST}-*.part"):
        process = left.name.split("-")[-1].removesuffix(".part")
        if process.isdigit() and not _is_running(int(process)):
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there, asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is, and somebody else's
        return True
    return True


def to_array(picture: Image.Image) -> np.ndarray:
    """uint8 (3, H, W), contiguous, from a Pillow RGB picture."""
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def from_array(array: np.ndarray) -> Image.Image:
    """Pillow RGB picture from uint8 (3, H, W)."""
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def in_rows(columns: Iterable[Iterable[np.ndarray]], *, gap: int = 4) -> np.ndarray:
    """One uint8 (3, H, W) picture from rows of equally large ones, with white gaps."""
    framed = [
        np.concatenate(
            [np.pad(p, ((0, 0), (0, gap), (0, gap)), constant_values=255) for p in row], axis=2
        )
        for row in columns
    ]
    return np.concatenate(framed, axis=1)[:, :-gap, :-gap]


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep grays to mode L, scaled; Pillow's own conversion clips at 255."""
    levels = np.asarray(image)
    if image.mode == "F":
        levels = np.nan_to_num(levels, posinf=0, neginf=0)
        top = next((top for top in (1, 255, 65535) if levels.max(initial=0) <= top), levels.max())
    else:
        top = 65535 if image.mode.startswith("I;16") or levels.max(initial=0) <= 65535 else 2**31
    scaled = levels.astype(np.float32) * np.float32(255 / top)
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8))


def _from_profile(image: Image.Image, data: bytes) -> Image.Image:
    """To sRGB from the colours that an embedded profile describes; as it is if that is broken."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = profile.profile.xcolor_space.strip()
        if space == "RGB" and "sRGB" in ImageCms.getProfileDescription(profile):
            return image
        if space == {"L": "GRAY"}.get(image.mode[0], image.mode.removesuffix("A")):
            return _converted(image, profile)
        if image.mode == "L" and space == "RGB":  # gray with the curve of an RGB space
            color = _converted(image.convert("RGB"), profile).getchannel("G")
            return (
                Image.merge("LA", [color, image.getchannel("A")]) if image.mode == "LA" else color
            )
    except (ImageCms.PyCMSError, OSError, ValueError):
        pass
    return image.convert("RGB") if image.mode == "CMYK" else image


def _converted(image: Image.Image, profile: _Profile) -> Image.Image:
    """To sRGB, alpha kept; gray stays gray."""

    def apply(picture: Image.Image) -> Image.Image:
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(profile, srgb, picture.mode, "RGB").apply(picture)

    if image.mode in ("L", "LA"):  # 256 values: a table
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        out = image.getchannel("L").point(apply(ramp).getchannel("G").tobytes())
    else:
        out = apply(image.convert("RGB") if image.mode == "RGBA" else image)
    if image.mode in ("LA", "RGBA"):
        out.putalpha(image.getchannel("A"))
    return out


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, Image.UnidentifiedImageError):
        return "empty, or not a known picture format"
    return getattr(error, "strerror", None) or text
