"""The wheel, used outside the checkout."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as `pip install .` does, from what git would give to others."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    names = ("pix2color", "configs", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
    subprocess.run(["cp", "-r", *(ROOT / name for name in names), source], check=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", out, source]
    built = subprocess.run(list(map(str, pip)), capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    (path,) = out.glob("*.whl")
    return path


def test_everything_that_is_no_code_is_inside(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pix2color").rglob("*.py")}
    recipes = {
        f"pix2color/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "configs").rglob("*.yaml")
    }
    others = {
        path.relative_to(ROOT).as_posix()
        for folder in ("pages", "samples")
        for path in (ROOT / "pix2color" / folder).iterdir()
    }
    missing = (code | recipes | others) - inside
    assert not missing
    assert not [name for name in inside if name.startswith(("tests", "pretrain", "docs"))]


def test_it_works_in_an_empty_folder(wheel, pretrained, tmp_path):
    place, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", place, wheel]
    subprocess.run(list(map(str, pip)), check=True, timeout=300)

    def run(*words: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pix2color", *map(str, words)],
            env=os.environ | {"PYTHONPATH": str(place)},
            cwd=empty,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "baselines/cnn-mse" in run("recipes")
    photo = place / "pix2color" / "samples" / "camera.jpg"
    run("colorize", photo, "--model", pretrained, "--out", "colour")
    assert (empty / "colour" / "camera.jpg").is_file()
    code = "import pix2color; print(pix2color.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(place)},
        cwd=empty,
        capture_output=True,
        text=True,
    ).stdout
    assert where.startswith(str(place))
