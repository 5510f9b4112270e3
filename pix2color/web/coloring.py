"""A visitor's photo, or one that a program sends, in colour."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from PIL import Image

from pix2color.errors import ImageError, Pix2colorError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import encode_planes, write_picture
from pix2color.inference.colorizer import Colorizer
from pix2color.web.visits import COLOURED, FAILED, Picture, Visit, Wishes, for_visitors

_PREVIEW_SIDE = 1280
_PREVIEW_QUALITY = 85


def color_picture(colorizer: Colorizer, visit: Visit, picture: Picture, wishes: Wishes) -> None:
    """Colour one photo of a visit, or say in it why that failed; older wishes change nothing."""

    def wanted() -> bool:
        return wishes is visit.wishes and not visit.ended and not picture.gone

    if not wanted():  # while it waited for its turn
        return
    folder = visit.folder / secrets.token_hex(8)
    try:
        size = _color(colorizer, picture, wishes, folder)
        status, reason = COLOURED, ""
    except Pix2colorError as error:
        size, status = (0, 0), FAILED
        reason = for_visitors(str(error).removeprefix(f"{picture.name}: "))
    except Exception as error:
        size, status, reason = (0, 0), FAILED, f"not coloured ({type(error).__name__})"
    old = None
    with visit.lock:
        taken = wanted()
        if taken:
            old, picture.folder = picture.folder, folder if status == COLOURED else None
            picture.size, picture.status, picture.reason = size, status, reason
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    if not taken or status == FAILED:
        shutil.rmtree(folder, ignore_errors=True)
    if visit.ended:  # what was written after that has brought its folder back
        shutil.rmtree(visit.folder, ignore_errors=True)


def colorized(
    colorizer: Colorizer, name: str, data: bytes, wishes: Wishes
) -> tuple[bytes, Image.Image, Image.Image]:
    """A photo's colour version as a file of the same format, and both as pictures.

    Args:
        colorizer: the model.
        name: of the photo; its ending says which format the result has.
        data: the photo's bytes.
        wishes: what is wanted.

    Raises:
        ImageError: it cannot be read, or has colour already.
        ModelError: the network gave no colours.
    """
    read = read_gray_photo(Path(name), data)
    if read.has_colour and not wishes.coloured_too:
        raise ImageError(f"{name}: has colour already and was left alone")
    ours = Colorizer(
        colorizer.network,
        colorizer.info,
        device=str(colorizer.device),
        render_size=wishes.render_size or colorizer.render_size,
        tta=colorizer.tta,
    )
    prepared = ours.prepare(read)
    planes = ours.finish(prepared, ours.predict([prepared], wishes.look)[0])
    metadata = read.metadata.marked()
    result = encode_planes(Path(name), planes, alpha=read.alpha, metadata=metadata)
    return result, Image.fromarray(read.gray), planes.to_picture()


def _color(colorizer: Colorizer, picture: Picture, wishes: Wishes, folder: Path) -> tuple[int, int]:
    if picture.refusal:
        raise ImageError(picture.refusal)
    data = picture.path.read_bytes()
    result, before, after = colorized(colorizer, picture.name, data, wishes)
    folder.mkdir()
    (folder / "result").write_bytes(result)
    for name, shown in (("before.jpg", before), ("after.jpg", after)):
        shown.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        write_picture(folder / name, shown, quality=_PREVIEW_QUALITY)
    return after.size
