"""Conversion of pictures of every mode to upright 8-bit sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from pix2color.imaging.levels import NOTE, RANGE, deep_values, value_range

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


def standard(image: Image.Image) -> Image.Image:
    """Return any picture that Pillow opens as upright 8-bit sRGB, in mode L, LA, RGB or RGBA.

    Colour profiles (ICC) and the gamma of PNG files are converted, EXIF orientation is applied,
    the values of deep pictures are scaled by what they reach (``levels.value_range``).
    """
    turn = orientation(image)
    profile, gamma, deep = image.info.get("icc_profile"), _gamma(image), is_deep(image)
    if deep:
        shares, opaque = _shares(image)
        image = Image.fromarray(np.rint(shares * 255).astype(np.uint8))
        if opaque is not None:
            image.putalpha(Image.fromarray(opaque))
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
        clear = image.info["transparency"]
        if isinstance(clear, tuple) and max(clear) > 255:  # of a picture that had 16 bits
            image.info["transparency"] = tuple(value >> 8 for value in clear)
        image = image.convert(image.mode + "A")
    if profile:
        image = _from_profile(image, profile)
    elif gamma and not deep:
        table = np.rint(_from_gamma(np.arange(256) / 255, gamma) * 255).astype(int).tolist()
        as_it_is = list(range(256)) if image.mode.endswith("A") else []
        colors = len(image.getbands()) - bool(as_it_is)
        image = image.point(table * colors + as_it_is)
    image.load()
    return upright(image, turn)


def is_deep(image: Image.Image) -> bool:
    """Return whether a picture has more than 8 bits a pixel, which only gray ones can in Pillow."""
    return image.mode.startswith("I") or image.mode == "F"


def deep_gray(image: Image.Image) -> np.ndarray:
    """Return a deep gray picture as ``standard`` does, but with 16 bits: uint16 (H, W)."""
    shares, _ = _shares(image)
    profile = image.info.get("icc_profile")
    if profile:
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        curve = np.asarray(_from_profile(ramp, profile))[0] / np.float32(255)
        shares = np.interp(shares * 255, np.arange(256), curve)
    return turned(np.rint(shares * 65535).astype(np.uint16), orientation(image))


def reading_note(image: Image.Image) -> str:
    """Return what a person should know about how a picture's values are read, or no text."""
    if NOTE in image.info or not is_deep(image):
        return image.info.get(NOTE, "")
    return value_range(deep_values(image), image.info.get(RANGE)).note


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Return a picture turned as an EXIF orientation of 1 to 8 asks."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Return an array (H, W) turned as ``upright`` turns a picture."""
    return np.asarray(upright(Image.fromarray(pixels), turn)) if turn in _TURNS else pixels


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if there is none or it cannot be read.

    Pillow turns TIFF files itself as it decodes them, whatever their EXIF says afterwards; the
    EXIF of a PNG may follow its pixels. Both are decoded first, so that damage is not passed over.

    Raises:
        Exception: such a picture is damaged.
    """
    if image.format in ("TIFF", "PNG"):
        image.load()
    if image.format == "TIFF":
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to lose the photo
        return 1
    return value if value in _TURNS else 1


def without_alpha(image: Image.Image) -> Image.Image:
    """Return a picture in mode L or RGB, its transparency laid on white."""
    if not image.mode.endswith("A"):
        return image
    ground = Image.new(image.mode[:-1], image.size, "white")
    ground.paste(image.convert(image.mode[:-1]), mask=image.getchannel("A"))
    return ground


def _shares(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a deep gray picture from 0, black, to 1, white: float32 (H, W); and its alpha."""
    values = deep_values(image)
    shares = value_range(values, image.info.get(RANGE)).shares(values)
    gamma = _gamma(image)
    if gamma and not image.info.get("icc_profile"):
        shares = _from_gamma(shares, gamma)
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return shares, None
    return shares, np.where(values == clear, 0, 255).astype(np.uint8)


def _gamma(image: Image.Image) -> float | None:
    """Return the gamma that a PNG file states, if it is another than sRGB's."""
    gamma = image.info.get("gamma")
    if not gamma or "srgb" in image.info or abs(gamma * 2.2 - 1) < 0.01:
        return None
    return float(gamma) if 0.1 <= gamma <= 10 else None


def _from_gamma(shares: np.ndarray, gamma: float) -> np.ndarray:
    """Return values in [0, 1] that are light to the power of ``gamma`` as sRGB has them."""
    light = shares ** (1 / gamma)
    curved = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light > 0.0031308, curved, 12.92 * light).astype(np.float32)


def _from_profile(image: Image.Image, data: bytes) -> Image.Image:
    """Convert to sRGB by an embedded profile; a picture with a broken one stays as it is."""
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
    """Convert to sRGB; alpha is kept, and gray stays gray."""

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
