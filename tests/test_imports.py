"""Imports point one way: each level only to levels before it."""

import ast

import pytest
from conftest import ROOT

PACKAGE = ROOT / "pix2color"
LEVELS = [
    {"__init__", "errors"},
    {"color", "srgb", "config", "console", "manifest", "pipeline", "runs", "commands"},
    {"recipes", "images", "metrics", "metadata", "fullsize", "board", "film"},
    {"losses", "models", "data", "photo", "look"},
    {"training", "colorizer", "plan"},
    {
        "patch_critic",
        "perceptual",
        "jobs",
        "gallery",
        "export",
        "doctor",
        "costs",
        "charts",
        "axes",
    },
    {"evaluate"},
    {"report"},
    {"comparison"},
    {"report_page"},
    {"experiments", "judge"},
    {"cross_validation", "sweep", "web"},
    {"cli_colorize", "cli_web", "cli_tools", "cli_experiments"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: i for i, names in enumerate(LEVELS) for name in names}


def room(dotted: str) -> str:
    """The part of the package that a module belongs to."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pix2color"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (PACKAGE / f"{alias.name}.py").exists() and node.module == "pix2color"
                yield inner if is_module else node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("pix2color"))


# The package's own door names what is public, and imports it on demand.
MODULES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_imports_point_one_way(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for target in imports(path):
        there = room(target)
        assert there == here or LEVEL[there] < LEVEL[here], f"{path.name} imports {target}"


def test_torchvision_imports_beside_a_torch_it_was_not_built_for():
    import pix2color.models.torchvision_ops  # noqa: F401

    # isort: split
    import torchvision

    assert torchvision.models.resnet18 is not None
