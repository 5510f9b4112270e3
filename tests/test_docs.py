"""What the documentation says is run: blocks that are marked ``<!-- tested -->``, and the site."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from PIL import Image
from skimage import data

MARKED = re.compile(r"<!-- tested -->\n```(sh|python)\n(.*?)```", re.DOTALL)
PAGES = ("README.md", "docs/train-your-own.md")

# Trainings that would take hours are cut to a few steps; nothing else is changed.
SHIM = """#!{python}
import subprocess, sys
words = sys.argv[1:]
short = {{"pretrain": 4, "train-gan": 4, "overfit": 4, "compare": 4}}
if words and words[0] in short:
    flags = [i for i, w in enumerate(words) if w in ("--epochs", "--minutes-each", "--images")]
    for i in reversed(flags):
        del words[i : i + 2]
    words += ["--steps-each" if words[0] == "compare" else "--max-steps", "4"]
    for setting in ("data.crop=48", "data.batch_size=4", "data.workers=0", "precision=float32",
                    "schedule.warmup_steps=1", "validation.size=64"):
        words += ["--set", setting]
    if words[0] == "train-gan":
        words += ["--set", "critic_warmup_steps=1"]
done = subprocess.run([sys.executable, "-m", "pix2color", *words]).returncode
sys.exit(0 if words[0] == "overfit" and done == 1 else done)  # 4 steps teach nothing by heart
"""


@pytest.fixture
def home(photos, tmp_path):
    """The folder of somebody who follows the documentation, with the photos it speaks of."""
    shutil.copytree(photos, tmp_path / "photos")
    shutil.copytree(photos / "coffee", tmp_path / "test-photos" / "coffee")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "old-photos").mkdir()
    (tmp_path / "card.md").write_text("A model.")
    for place in (tmp_path / "grandma.jpg", tmp_path / "old-photos" / "camera.jpg"):
        Image.fromarray(data.camera()).save(place)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "pix2color"
    shim.write_text(SHIM.format(python=sys.executable))
    shim.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_marked_blocks_run_one_after_another(page, home):
    blocks = MARKED.findall((ROOT / page).read_text("utf-8"))
    assert len(blocks) >= 5
    for language, text in blocks:
        command = {"sh": ["bash", "-euc", text], "python": [sys.executable, "-c", text]}[language]
        done = subprocess.run(
            command,
            cwd=home,
            env=os.environ | {"PATH": f"{home / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"


def test_generated_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "reference.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="no mkdocs: pip install 'pix2color[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "fonts.googleapis" not in page


def test_relative_links_lead_somewhere():
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "assets").glob("*.md"),
    ):
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"
