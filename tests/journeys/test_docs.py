"""What the documentation says is run: blocks that are marked ``<!-- tested -->``, and the site.

A block of commands that is not run says why: ``<!-- not run: … -->``.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import films
import pytest
from conftest import ROOT, pix2color, settings
from PIL import Image
from serving import served
from skimage import data

MARKDOWN = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("assets/*.md"), *ROOT.glob("docs/**/*.md"))
)
FENCED = re.compile(r"([^\n]*)\n *```(\w*)\n(.*?)\n *```", re.DOTALL)
MARK = re.compile(r" *<!-- (tested|not run: \S.*) -->")
SERVER = "docs/serve.md"
NEEDS = {  # beyond what pix2color always has
    "docs/colorize.md": "onnxruntime",
    "docs/films.md": "av",
    "docs/experiments.md": "optuna",
    "docs/training.md": "webdataset",
}

# Trainings that would take hours are cut to a few steps; nothing else is changed.
BUDGETS = {
    "pretrain": "--max-steps 4",
    "train-gan": "--max-steps 4 --set critic_warmup_steps=1",
    "overfit": "--max-steps 4",
    "pretrain-encoder": "--max-steps 4",
    "cross-validate": "--max-steps 4",
    "compare": "--steps-each 4",
    "sweep": "--steps-each 4",
    "lr-find": "--steps 30",
}
LONG = {"--epochs": "", "--minutes-each": "", "--folds": "--folds 2", "--trials": "--trials 2"}
SMALL = settings(
    "data.crop=48",
    "data.batch_size=4",
    "data.workers=0",
    "precision=float32",
    "schedule.warmup_steps=1",
    "validation.size=64",
)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Of each fenced block the line before it, its language and what is in it."""
    found = FENCED.findall((ROOT / page).read_text("utf-8"))
    return [(before, language, textwrap.dedent(text)) for before, language, text in found]


def to_run(page: str) -> list[tuple[str, str]]:
    return [block[1:] for block in blocks(page) if block[0].strip() == "<!-- tested -->"]


def commands(text: str, home: Path) -> Iterator[list[str]]:
    """The words of each command of a block, as a shell has them; of files that ``*`` finds, two."""
    for line in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in shlex.split(line, comments=True):
            words += sorted(map(str, home.glob(word)))[:2] if "*" in word else [word]
        if words:
            yield words


def shortened(words: list[str]) -> list[str]:
    """The same command of ours with a small budget, if it trains."""
    command, *rest = words
    if command not in BUDGETS:
        return words
    for option, instead in LONG.items():
        if option in rest:
            i = rest.index(option)
            rest[i : i + 2] = instead.split()
    return [command, *rest, *BUDGETS[command].split(), *SMALL]


def follow(language: str, text: str, home: Path) -> None:
    """Do what a block says; where a command says ``--out``, something must be there then."""
    python = language == "python"
    for program, *words in [[sys.executable, "-c", text]] if python else commands(text, home):
        if program == "pix2color":
            done = pix2color(*shortened(words), cwd=home)
        else:
            command = [program, *words]
            done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300)
        # Four steps teach nothing by heart, and `overfit` says so.
        assert done.returncode == 0 or words[:1] == ["overfit"], f"{program} {words}\n{done.stderr}"
        if "--out" in words:
            assert (home / words[words.index("--out") + 1]).exists(), words


@pytest.fixture
def home(photos, tmp_path):
    """The folder of somebody who follows the documentation, with the files it speaks of."""
    for name in ("astronaut", "chelsea", "rocket"):
        shutil.copytree(photos / name, tmp_path / "photos" / "train" / name)
    for place in ("photos/val/coffee", "test-photos/coffee", "more"):
        shutil.copytree(photos / "coffee", tmp_path / place)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for own, shipped in {"l1": "l1", "gan": "gan", "recipe": "l1", "my-recipe": "l1"}.items():
        shutil.copy(ROOT / f"configs/baselines/ours-{shipped}.yaml", tmp_path / f"{own}.yaml")
    (tmp_path / "old-photos").mkdir()
    (tmp_path / "card.md").write_text("A model.")
    for place in (tmp_path / "grandma.jpg", tmp_path / "old-photos" / "camera.jpg"):
        Image.fromarray(data.camera()).save(place)
    films.write_film(tmp_path / "film.mp4", films.drawn_frames(12), codec="libx264")
    return tmp_path


@pytest.mark.parametrize("page", MARKDOWN)
def test_each_block_is_run_or_says_why_not(page):
    for before, language, text in blocks(page):
        assert language == "text" or MARK.fullmatch(before), f"{before}\n{text}"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[] if page == "README.md" else pytest.mark.slow)
        for page in MARKDOWN
        if to_run(page) and page != SERVER
    ],
)
def test_marked_blocks_run_one_after_another(page, home, pretrained):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    for name in ("mine", "mine-gan"):  # the runs that it speaks of, where it does not train them
        if f"--name {name}\n" not in (ROOT / page).read_text("utf-8"):
            shutil.copytree(pretrained, home / "runs" / name)
    for language, text in to_run(page):
        follow(language, text, home)


@pytest.mark.slow
def test_programs_are_answered_as_the_page_says(home, pretrained):
    """Its blocks, at a server of ours in place of theirs."""
    pytest.importorskip("requests")
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    with served(pretrained, home / "temporary") as address:
        for language, text in to_run(SERVER):
            here = re.sub(r"http://[\w.]+:7860", address.rstrip("/"), text)
            made = home / "grandma-colour.jpg"
            follow(language, here, home)
            with Image.open(made) as picture:
                assert (picture.mode, picture.size) == ("RGB", data.camera().shape)
            made.unlink()


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
