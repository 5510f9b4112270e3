"""The wheel, used outside the checkout; and the files about the project that machines read."""

import ast
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions, requires

import numpy as np
import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

import pix2color

# Imported by us, and asked for by what we ask for.
COMES_WITH = {"matplotlib": "fastai"}


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


@pytest.fixture(scope="module")
def inside(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_whole_package_is_inside(inside):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pix2color").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    recipes = {
        f"pix2color/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "configs").rglob("*.yaml")
    }
    by_name = {
        "default.safetensors",
        "WEIGHTS-NOTICE.md",
        "samples/README.md",
        "web/page/engines/server.js",
    }
    missing = (package | recipes | {f"pix2color/{name}" for name in by_name}) - inside
    assert not missing
    assert not [name for name in inside if name.startswith(("tests", "pretrain", "docs"))]


def test_the_notice_about_the_weights_is_part_of_the_licence(inside, metadata):
    files = metadata.get_all("License-File")
    assert files == ["LICENSE", "pix2color/WEIGHTS-NOTICE.md"]
    for file in files:
        assert any(name.endswith(f".dist-info/licenses/{file}") for name in inside)


def test_the_rights_of_every_sample_are_beside_it():
    folder = ROOT / "pix2color" / "samples"
    rights = (folder / "README.md").read_text("utf-8")
    for photo in folder.glob("*.jpg"):
        assert f"| `{photo.name}` |" in rights


def third_party():
    """Names of all modules of others that the package imports, at the top or when needed."""
    for path in (ROOT / "pix2color").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from (name.split(".")[0] for name in names)


def test_the_wheel_asks_for_what_the_package_imports(metadata):
    def names(lines):
        return {canonicalize_name(Requirement(line).name) for line in lines}

    for_who_works_on_it = ('extra == "dev"', 'extra == "docs"')
    lines = metadata.get_all("Requires-Dist")
    asked = names(line for line in lines if not line.endswith(for_who_works_on_it))
    homes = packages_distributions()
    imported = set(third_party()) - sys.stdlib_module_names - {"pix2color"}
    assert {"torch", "PIL", "starlette", "fastai"} <= imported
    for module in imported:
        home = canonicalize_name(homes.get(module, [module])[0])
        if home in COMES_WITH:
            assert COMES_WITH[home] in asked
            assert home in names(requires(COMES_WITH[home]))
        else:
            assert home in asked, f"{module} is imported, and no requirement brings it"


def test_it_works_in_an_empty_folder(wheel, tmp_path):
    place, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", place, wheel]
    subprocess.run(list(map(str, pip)), check=True, timeout=300)

    def run(*words: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env=os.environ | {"PYTHONPATH": str(place)},
            cwd=empty,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("-c", "import pix2color; print(pix2color.__file__)").startswith(str(place))
    assert "baselines/cnn-mse" in run("-m", "pix2color", "recipes")
    photo = place / "pix2color" / "samples" / "chelsea.jpg"
    run("-m", "pix2color", "colorize", photo, "--out", "colour")  # by the model that comes along
    colours = np.asarray(Image.open(empty / "colour" / "chelsea.jpg")).astype(int)
    assert np.ptp(colours, axis=2).mean() > 10


def test_what_machines_read_can_be_read():
    def read(name):
        return yaml.safe_load((ROOT / name).read_text("utf-8"))

    assert read(".pre-commit-config.yaml")["repos"]
    assert read(".github/workflows/test.yml")["jobs"]
    assert read("CITATION.cff")["version"] == pix2color.__version__
