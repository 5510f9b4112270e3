"""Contact sheets of evaluations: gray, what each system has made of it, and the truth."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pix2color.evaluation.evaluation import Evaluation
from pix2color.evaluation.squares import SIDE
from pix2color.evaluation.systems import GRAY, MODEL
from pix2color.imaging.io import from_array, write_picture

_TITLES = {MODEL: "ours"}
_GAP, _HEAD, _FONT = 6, 34, 18


def write_contact_sheet(evaluation: Evaluation, count: int, path: Path) -> None:
    """Write so many samples as gray | ours | truth, two such groups side by side.

    Other systems have columns of their own; a picture that is missing is left white.
    """
    titles = [GRAY, *(_TITLES.get(name, name) for name in evaluation.systems), "truth"]
    samples = evaluation.samples(count)
    across = min(2 if len(titles) <= 4 else 1, len(samples))
    rows = math.ceil(len(samples) / across)
    group = len(titles) * (SIDE + _GAP) + 3 * _GAP
    size = (across * group - 2 * _GAP, _HEAD + rows * (SIDE + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    for place in range(across):
        for column, title in enumerate(titles):
            left = _GAP + place * group + column * (SIDE + _GAP)
            title = title.encode("utf-8", "replace").decode()  # a folder's name may be in no UTF-8
            while draw.textlength(title, font) > SIDE:
                title = title[:-2] + "…"
            draw.text((left + SIDE / 2, _HEAD / 2), title, "black", font, anchor="mm")
    for index, sample in enumerate(samples):
        row, place = divmod(index, across)
        for column, picture in enumerate(sample):
            left = _GAP + place * group + column * (SIDE + _GAP)
            if picture is not None:
                sheet.paste(from_array(picture), (left, _HEAD + row * (SIDE + _GAP)))
    write_picture(path, sheet, own=True)
