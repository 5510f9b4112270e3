"""The page inside the browser decides as the command line does whether a photo is in colour."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
from conftest import ROOT, colour_photos
from PIL import Image
from skimage import data

from pix2color.imaging.color_measure import color_measure, counts_as_color

ENGINES = ROOT / "pix2color" / "web" / "page" / "engines"
SCRIPT = """
import { readFileSync } from "node:fs";
import { Thumbnail } from "./engines/thumbnail.js";
const found = JSON.parse(readFileSync(0)).map(({ file, width, height }) => {
  const thumbnail = new Thumbnail(width, height);
  const rows = readFileSync(file);
  thumbnail.add(rows.subarray(0, 4 * width * 7), 0);
  thumbnail.add(rows.subarray(4 * width * 7), 7);
  return [thumbnail.measure(), thumbnail.hasColor()];
});
console.log(JSON.stringify(found));
"""


def pictures():
    """Photos in colour, black-and-white, toned, faded, stained and framed, as RGB or RGBA."""
    gray = data.camera()[..., None]
    height, width = gray.shape[:2]
    down = np.linspace(0, 1, height)[:, None, None]
    album = np.full((height + 160, width + 160, 3), (120, 85, 50), np.uint8)
    album[80:-80, 80:-80] = gray
    strip = np.repeat(gray, 3, axis=2)
    strip[:40] = np.repeat(np.eye(3) * 200 + 40, 200, axis=0)[:width].astype(np.uint8)
    colors = colour_photos()
    coffee = colors["coffee"].astype(float)
    mean = coffee.mean(axis=2, keepdims=True)
    clear = np.dstack([np.repeat(gray, 3, axis=2), np.full((height, width), 255, np.uint8)])
    clear[:100, :300] = (250, 30, 30, 0)
    return {
        **colors,
        "gray": np.repeat(gray, 3, axis=2),
        "sepia": gray * np.array([1, 0.86, 0.7]),
        "cyanotype": 255 - (255 - gray) * np.array([1, 0.6, 0.3]),
        "stained": gray * (1 - down * np.array([0, 0.1, 0.35])),
        "faded": mean + (coffee - mean) / 3,
        "album": album,
        "strip": strip,
        "stamped": np.where((down > 0.9) & (gray > 0), (200, 40, 60), gray),
        "clear": clear,
        "small": np.repeat(gray[:300:15, :300:15], 3, axis=2),
    }


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """By name: the measures of Python and of the page."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed (apt install nodejs)")
    place = tmp_path_factory.mktemp("engines")
    shutil.copytree(ENGINES, place / "engines")
    (place / "package.json").write_text('{"type": "module"}')
    (place / "run.js").write_text(SCRIPT)
    asked, python = [], {}
    for name, pixels in pictures().items():
        picture = Image.fromarray(pixels.astype(np.uint8))
        alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
        python[name] = color_measure(picture.convert("RGB").convert("YCbCr"), alpha)
        file = place / f"{name}.rgba"
        file.write_bytes(picture.convert("RGBA").tobytes())
        asked.append({"file": str(file), "width": picture.width, "height": picture.height})
    done = subprocess.run(
        [node, "run.js"], cwd=place, input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = json.loads(done.stdout)
    return {name: (python[name], *found) for name, found in zip(python, page, strict=True)}


def test_the_measures_are_alike(measured):
    for name, (python, page, _) in measured.items():
        assert page == pytest.approx(python, rel=0.1, abs=0.12), name  # Python rounds Cb and Cr


def test_the_decisions_are_the_same(measured):
    for name, (python, _, has_color) in measured.items():
        assert has_color == counts_as_color(python), (name, measured[name])
    assert {found for *_, found in measured.values()} == {True, False}
