"""The options of colouring a photo, and the ways that use them."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from conftest import pix2color
from PIL import Image
from skimage import data

from pix2color import ColorizeOptions, Colorizer
from pix2color.errors import HasColorError, ImageError, UsageError
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.options import shared_options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("saturation", value) for value in (-0.1, 3.1, float("nan"), "much", True, None)),
        *(("temperature", value) for value in (-101, 100.5, float("inf"))),
        *(("render_size", value) for value in (0, 31, 2049, 64.5)),
        *(("quality", value) for value in (0, 101, 92.5, None)),
    ],
)
def test_wrong_options_are_named(name, value):
    with pytest.raises(UsageError, match=f"^{name}: "):
        ColorizeOptions(**{name: value})


def test_the_limits_themselves_and_all_kinds_of_numbers_are_taken():
    for low, high in ((0, 3), (np.float32(0), Fraction(3))):
        assert ColorizeOptions(saturation=low) != ColorizeOptions(saturation=high)
    ColorizeOptions(temperature=-100, render_size=np.int64(2048), quality=1)


def test_other_statistics_are_other_options():
    first, second = (ChromaStatistics(np.zeros(2), np.eye(2)) for _ in range(2))
    assert ColorizeOptions(like=first) != ColorizeOptions(like=second)
    assert ColorizeOptions(like=first) == ColorizeOptions(like=first)


def test_a_server_allows_smaller_render_sizes():
    assert shared_options(render_size=1024) == ColorizeOptions(render_size=1024)
    for size in (31, 1025):
        with pytest.raises(UsageError, match=r"^render_size: "):
            shared_options(render_size=size)


def test_they_load_nothing_heavy():
    script = (
        "import sys, pix2color.cli.colorize, pix2color.cli.serve\n"
        "from pix2color import ColorizeOptions\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        "import pix2color.inference.folder_plan, pix2color.inference.pipeline\n"
        "import pix2color.imaging.io, pix2color.imaging.metadata\n"
        "assert 'torch' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.parametrize("name", ["old.jpg", "old.png", "old.gif"])
def test_command_line_and_python_give_the_same_bytes(name, pretrained, write_photo, tmp_path):
    path = write_photo(name, Image.fromarray(data.camera()).resize((300, 200)))
    like = write_photo("like.png", Image.fromarray(data.coffee()))
    words = ("--saturation", 1.3, "--temperature", 20, "--like", like, "--render-size", 96)
    words += ("--tta", "--quality", 80, "--strip-metadata", "--workers", 1)
    out = tmp_path / "out"
    done = pix2color("colorize", path, "--model", pretrained, "--out", out, *words)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("old.*")
    colorizer = Colorizer.load(pretrained)
    for reference in (like, str(like), Image.open(like)):
        options = ColorizeOptions(
            saturation=1.3,
            temperature=20,
            like=reference,
            render_size=96,
            tta=True,
            quality=80,
            keep_metadata=False,
        )
        for source, named in ((path, None), (path.read_bytes(), name)):
            file = colorizer.colorize_file(source, options, name=named)
            assert file == made.read_bytes()


def test_a_file_that_has_colour_needs_force(pretrained, write_photo):
    path = write_photo("cat.png", Image.fromarray(data.chelsea()))
    colorizer = Colorizer.load(pretrained)
    with pytest.raises(HasColorError, match=r"cat\.png"):
        colorizer.colorize_file(path)
    assert colorizer.colorize_file(path, ColorizeOptions(force=True))[:4] == b"\x89PNG"
    with pytest.raises(ImageError):
        colorizer.colorize_file(path.with_name("none.png"), name="a.png")
