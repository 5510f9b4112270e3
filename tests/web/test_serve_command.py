import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import one_line, pix2color
from PIL import Image

from pix2color.cli import serve
from pix2color.cli.main import cli

_ASKED = '_pix2color_completion pix2color; echo "${COMPREPLY[@]}"'


def test_the_demo_colours_what_comes_with_the_package(pretrained, tmp_path):
    result = pix2color("demo", "--model", pretrained, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    page = tmp_path / "pix2color-demo" / "index.html"
    assert result.stdout.splitlines() == [
        "5 photos coloured, 0 failed: pix2color-demo",
        str(page),
    ]
    assert page.read_text("utf-8").count("<figure>") == 5
    assert (page.parent / "astronaut.jpg").is_file()
    again = pix2color("demo", "--model", pretrained, cwd=tmp_path)
    assert "5 done before" in again.stdout


def test_the_demo_replaces_no_page_of_somebody_else(pretrained, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    told = one_line(pix2color("demo", "--model", pretrained, "--out", tmp_path), 2)
    assert "index.html" in told
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize(("broken", "code"), [(["b"], 3), (["a", "b"], 1)])
def test_the_demo_tells_by_its_exit_code_that_photos_failed(
    broken, code, write_photo, pretrained, tmp_path, monkeypatch
):
    for name in "ab":
        photo = write_photo(f"samples/{name}.png", Image.new("L", (60, 40), 90))
        if name in broken:
            photo.write_bytes(photo.read_bytes()[:40])
    monkeypatch.setattr(serve, "SAMPLES", tmp_path / "samples")
    words = ["demo", "--model", str(pretrained), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == code, result.output
    assert f"{2 - len(broken)} photos coloured, {len(broken)} failed" in result.output


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_completes_commands():
    script = subprocess.run(
        [sys.executable, "-m", "pix2color"],
        env=os.environ | {"_PIX2COLOR_COMPLETE": "bash_source"},
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    typed = "COMP_WORDS=(pix2color pre); COMP_CWORD=1"
    found = subprocess.run(
        ["bash", "-c", f"{script}\n{typed}\n{_ASKED}"],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert sorted(found.stdout.split()) == ["prepare", "pretrain", "pretrain-encoder"]
