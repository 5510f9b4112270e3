"""The lowest versions that setup.cfg admits, and why none below them."""

from configparser import ConfigParser

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

LOWEST = {
    "pillow": ("12.3", "published holes in its readers of files, which are anybody's"),
    "onnx": ("1.21", "published holes in loading models: weights outside of the folder"),
    "starlette": ("1.3.1", "published holes in requests: bodies and ranges that cost too much"),
    "python-multipart": (
        "0.0.31",
        "uploads that cost memory or time: GHSA-v9pg-7xvm-68hf, CVE-2026-42561",
    ),
    "jinja2": ("3.1.6", "templates leave the sandbox: CVE-2025-27516"),
    "filelock": ("3.20.3", "links in the place of lock files are followed: CVE-2026-22701"),
    "torch": ("2.6", "published hole in torch.load, weights_only or not"),
    "pyyaml": ("5.4", "published hole in loading: runs code"),
}


def requirements() -> list[Requirement]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    return [Requirement(line) for text in texts for line in text.split("\n") if line]


@pytest.mark.parametrize("name", LOWEST)
def test_no_version_with_a_published_hole_is_admitted(name):
    lowest, reason = LOWEST[name]
    found = [r for r in requirements() if r.name.lower() == name]
    assert found
    for requirement in found:
        floors = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "==")]
        assert floors, reason
        assert max(floors) >= Version(lowest), reason
