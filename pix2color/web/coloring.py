"""The colouring of one photo of a session."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from PIL import Image

from pix2color.errors import ImageError, Pix2colorError
from pix2color.imaging.io import write_picture
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.options import ColorizeOptions
from pix2color.web.sessions import COLORED, FAILED, Picture, Session, without_option_advice

_PREVIEW_SIDE = 1280
_PREVIEW_QUALITY = 85


def color_picture(
    colorizer: Colorizer, session: Session, picture: Picture, options: ColorizeOptions
) -> None:
    """Colour one photo of a session, or say in it why that failed; older options change nothing."""

    def wanted() -> bool:
        return options is session.options and not session.ended and not picture.gone

    if not wanted():  # while it waited for its turn
        return
    folder = session.folder / secrets.token_hex(8)
    try:
        size = _color(colorizer, picture, options, folder)
        status, reason = COLORED, ""
    except Pix2colorError as error:
        size, status = (0, 0), FAILED
        reason = without_option_advice(str(error).removeprefix(f"{picture.name}: "))
    except Exception as error:
        size, status, reason = (0, 0), FAILED, f"not coloured ({type(error).__name__})"
    old = None
    with session.lock:
        taken = wanted()
        if taken:
            old, picture.folder = picture.folder, folder if status == COLORED else None
            picture.size, picture.status, picture.reason = size, status, reason
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    if not taken or status == FAILED:
        shutil.rmtree(folder, ignore_errors=True)
    if session.ended:  # what was written after that has brought its folder back
        shutil.rmtree(session.folder, ignore_errors=True)


def _color(
    colorizer: Colorizer, picture: Picture, options: ColorizeOptions, folder: Path
) -> tuple[int, int]:
    """Write the result and its previews to a new folder; return the previews' size."""
    if picture.refusal:
        raise ImageError(picture.refusal)
    path = Path(picture.name)
    colored = colorizer.color_file(path, picture.path.read_bytes(), options)
    result = colored.encode(path, options)
    before, after = Image.fromarray(colored.photo.gray), colored.planes.to_picture()
    folder.mkdir()
    (folder / "result").write_bytes(result)
    for name, shown in (("before.jpg", before), ("after.jpg", after)):
        shown.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        write_picture(folder / name, shown, quality=_PREVIEW_QUALITY)
    return after.size
