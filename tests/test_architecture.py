"""Imports point one way: the rules of the house, written here and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "pix2color"

# Each level imports only from levels before it (and from itself).
LEVELS = [
    {"__init__"},
    {"errors"},
    {"processes"},
    {"files", "progress", "extras"},
    {"color"},
    {"imaging"},
    {"html"},
    {"config"},
    {"metrics"},
    {"losses"},
    {"models"},
    {"inference"},
    {"web", "data"},
    {"training"},
    {"evaluation"},
    {"experiments"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}
MOST_AT_THE_TOP = 10
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Folder or top-level module of every import of the package, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pix2color":
            inside = (node.module or "").split(".")[1:]
            for alias in node.names:
                first = inside[0] if inside else alias.name
                yield first if first in LEVEL else "__init__"
        elif isinstance(node, ast.Import):
            names = (alias.name.split(".") for alias in node.names)
            yield from (n[1] for n in names if n[0] == "pix2color" and len(n) > 1)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if here == "__init__":  # the public face: its names are imported on demand
        return
    wrong = [name for name in imports(path) if name != here and LEVEL[name] >= LEVEL[here]]
    assert not wrong


def test_each_folder_and_top_level_module_has_its_level():
    found = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in MODULES}
    assert found == set(LEVEL)
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_AT_THE_TOP


@pytest.mark.parametrize("folder", ["assets", "benchmarks", "docs"])
def test_scripts_import_what_there_is(folder):
    """Most of them are run by hand, on photos that tests do not have."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pix2color"):
                exec(compile(ast.Module([node], []), path, "exec"), {})


def test_torchvision_imports_beside_a_torch_it_was_not_built_for():
    import pix2color.models.torchvision_ops  # noqa: F401

    # isort: split
    import torchvision

    assert torchvision.models.resnet18 is not None
