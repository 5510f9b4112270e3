"""Colouring with the base installation alone, in real processes: nothing of the training side."""

import json
import os
import subprocess
import sys
from importlib.metadata import distribution

import numpy as np
import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from PIL import Image
from skimage import data

from pix2color.cli.serve import SAMPLES

MOST_BYTES = 250e6
WEIGHTS = ROOT / "pix2color" / "default.safetensors"


def needed(name: str, found: set[str]) -> set[str]:
    """The distributions that one needs without any extra, and those that they need."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name not in found and (not marker or marker.evaluate({"extra": ""})):
            found.add(requirement.name)
            needed(requirement.name, found)
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder that has what `pip install pix2color` brings, by links."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "pix2color").symlink_to(ROOT / "pix2color")
    found = [distribution(name) for name in needed("pix2color", set())]
    for files in (package.files for package in (*found, distribution("pix2color"))):
        for path in files or ():
            top = path.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                place = path.locate()
                (folder / top).symlink_to([place, *place.parents][len(path.parts) - 1])
    return folder


@pytest.fixture(scope="module")
def light(base):
    """A function that runs Python with arguments in that installation."""

    def run(*words, cwd=None):
        command = [sys.executable, "-S", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": str(base)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, cwd=cwd
        )

    assert "No module named 'torch'" in run("-c", "import torch").stderr
    return run


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "camera.jpg"
    Image.fromarray(data.camera()).save(path)
    return path


def test_it_is_small(base):
    links = list(base.iterdir())
    sizes = [f.stat().st_size for link in links for f in (link, *link.rglob("*")) if f.is_file()]
    assert sum(sizes) < MOST_BYTES


def test_photos_get_colour_with_all_that_goes_with_it(light, photo, tmp_path):
    command = ("colorize", photo, "--out", tmp_path, "--hint", "100,100,teal")
    done = light("-m", "pix2color", *command, "--doubt", "--compare", "--gallery", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["status"] == "coloured"
    assert np.ptp(np.asarray(Image.open(tmp_path / "camera.jpg")).astype(int), axis=2).mean() > 5
    names = {path.name for path in tmp_path.glob("*.*")}
    assert names >= {"camera.doubt.png", "camera.compare.jpg", "gallery.html"}


def test_so_do_demo_info_and_doctor(light, tmp_path):
    demo = light("-m", "pix2color", "demo", "--out", tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert len(list(tmp_path.glob("*.jpg"))) == len(list(SAMPLES.glob("*.jpg")))
    about = json.loads(light("-m", "pix2color", "info", "--json").stdout)
    assert about["format"] == "onnx"
    doctor = json.loads(light("-m", "pix2color", "doctor", "--json").stdout)
    assert doctor["problems"] == []
    assert doctor["devices"] == ["cpu"]


def test_python_colours(light, photo):
    code = (
        "import sys; from pix2color import Colorizer\n"
        f"print(Colorizer.load().colorize({str(photo)!r}).size)\n"
        "assert 'torch' not in sys.modules"
    )
    done = light("-c", code)
    assert done.stdout == "(512, 512)\n", done.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["pretrain", "--data", "."], "train"),
        (["train-gan", "--data", "."], "train"),
        (["prepare", ".", "--out", "prepared"], "train"),
        (["evaluate", "--data", "."], "train"),
        (
            ["sweep", "--over", "seed=1,2", "--data", ".", "--steps-each", "5", "--out", "o"],
            "train",
        ),
        (["export", "--format", "onnx", "--out", "a.onnx"], "train"),
        (["recipes"], "train"),
        (["info", WEIGHTS], "train"),
        (["colorize", ".", "--model", WEIGHTS, "--out", "o"], "train"),
        (["serve"], "web"),
    ],
)
def test_what_needs_more_says_how_to_install_it(light, words, extra, tmp_path):
    done = light("-m", "pix2color", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"pip install 'pix2color[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_is_reported_to_anybody(light, tmp_path, monkeypatch):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    for name, folder in (("HOME", home), ("TMPDIR", temporary), ("XDG_CACHE_HOME", home / "c")):
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    result = light("-m", "pix2color", SAMPLES / "camera.jpg", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    # What onnxruntime reports of its use waits in files until it can be sent.
    assert [path for path in (*home.rglob("*"), *temporary.rglob("*")) if path.is_file()] == []
