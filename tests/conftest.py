"""Photos and a trained run that tests share; all of it from pictures inside scikit-image."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import pix2color
from PIL import Image
from serving import served
from skimage import data

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background has Ctrl-C ignored in all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Settings that make a real training short: a small square, few pictures, one process.
SHORT = [
    "data.crop=48",
    "data.batch_size=4",
    "data.workers=0",
    "data.val_fraction=0",
    "schedule.warmup_steps=2",
    "precision=float32",
    "log_every=1",
]
# The networks of tests that are about something else: small to compute and to write.
QUICK = [*SHORT, "model={name: unet, options: {width: 4}}"]
QUICK_GAN = [*QUICK, "discriminator.options={width: 8}"]


def settings(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--set", pair)]


def one_line(result: subprocess.CompletedProcess[str], code: int) -> str:
    """The error of a command that failed as it should: its exit code, one line, no traceback."""
    assert result.returncode == code, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def colour_photos() -> dict[str, np.ndarray]:
    """uint8 (H, W, 3) by name."""
    return {
        "astronaut": data.astronaut(),
        "chelsea": data.chelsea(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
    }


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 24 colour photographs of 96 to 128 pixels, two levels deep."""
    folder = tmp_path_factory.mktemp("photos")
    for name, pixels in colour_photos().items():
        (folder / name).mkdir()
        picture = Image.fromarray(pixels)
        for i in range(6):
            left, top = 30 * i, 20 * i
            crop = picture.crop((left, top, left + 256, top + 192)).resize((128, 96))
            crop.save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def pretrained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of stage one: a few real steps."""
    runs = tmp_path_factory.mktemp("runs")
    result = pix2color(
        *("pretrain", "--data", photos, "--max-steps", 6, "--name", "l1", "--runs-dir", runs),
        *settings(
            *QUICK, "data.val_fraction=0.3", "validation.size=64", "validation.every_steps=3"
        ),
    )
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.strip())


_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium: the system's, or the one that `playwright install` has fetched."""
    api = pytest.importorskip("playwright.sync_api", reason="no Playwright on this machine")
    system = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(api.sync_playwright())
        try:
            found = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no Chromium on this machine: {error}")
        stack.callback(found.close)
        yield found


@contextlib.contextmanager
def opened(browser: Any, page: Path, width: int = 390) -> Iterator[Any]:
    """A page of ours in a window of that width; it must not complain, nor ask the network."""
    tab = browser.new_page(viewport={"width": width, "height": 800})
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:")) or complaints.append(request.url)
        ),
    )
    tab.goto(page.as_uri())
    yield tab
    assert not complaints
    tab.close()


@pytest.fixture
def write_photo(tmp_path: Path) -> Callable[..., Path]:
    """Save a small colour photo, or the picture given, under a name in the test's folder."""

    def write(name: str, picture: Image.Image | None = None, **options: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if picture is None:
            picture = Image.fromarray(data.chelsea()).resize((60, 40))
        picture.save(path, **options)
        return path

    return write


@pytest.fixture
def album(tmp_path: Path, write_photo: Callable[..., Path]) -> Path:
    """A folder with gray photos of several kinds, two levels deep."""
    camera = Image.fromarray(data.camera())
    write_photo("album/camera.jpg", camera.resize((301, 203)))
    write_photo("album/deep/er/tall.png", camera.resize((50, 171)))
    write_photo("album/deep/tiny.png", camera.resize((3, 2)))
    write_photo("album/old.gif", camera.resize((64, 48)))
    exif = Image.Exif()
    exif[0x0112] = 6
    write_photo("album/turned.jpg", camera.resize((80, 40)), exif=exif)
    return tmp_path / "album"


def made(folder: Path) -> list[str]:
    """Return the names of the files below a folder, but for hidden ones."""
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in names if not name.startswith("."))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def server(pretrained, place):
    with served(pretrained, place / "temporary") as address:
        yield address


@pytest.fixture(scope="module")
def gray(tmp_path_factory) -> Path:
    """A gray photo, and what the command line makes of it in the folder ``colour`` beside it."""
    path = tmp_path_factory.mktemp("gray") / "Großmutter 1932.jpg"
    Image.fromarray(data.astronaut()).convert("L").resize((300, 300)).save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def by_command(gray, pretrained) -> bytes:
    out = gray.with_name("colour")
    assert pix2color("colorize", gray, "--model", pretrained, "--out", out).returncode == 0
    return (out / gray.name).read_bytes()
