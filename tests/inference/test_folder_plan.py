"""Which photos a folder job takes, and which names it gives to what it makes."""

import json
import os
import shutil

import numpy as np
import pytest
from command_line import invoke
from conftest import one_line
from PIL import Image
from skimage import data

CAMERA = Image.fromarray(data.camera())
LONG = ("x" * 251 + ".jpg", "家族写真" * 20 + ".jpg", "ü" * 125 + ".gif", "y" * 245 + ".hif.jpeg")


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    return folder


def photo(path, size=(40, 30)):
    CAMERA.resize(size).save(path)


def colored(*words, code=0):
    """By name of the photo, what became of it."""
    result = invoke("colorize", *words, "--json")
    assert result.returncode == code, result.stderr
    return {os.path.basename(found["input"]): found for found in json.loads(result.stdout)}


@pytest.mark.parametrize("place", ["out", "beside", "in place"])
def test_names_as_long_as_can_be_and_of_any_bytes(place, album, tmp_path):
    names = [*LONG, os.fsdecode(b"caf\xe9 1923.jpg"), "two\nlines.jpg", "e\u0301te\u0301.jpg"]
    names = [name for name in names if place != "in place" or not name.endswith("gif")]
    for name in names:
        photo(album / name)
    backup = ("--in-place", "--backup", tmp_path / "backup")
    out = {"out": ("--out", tmp_path / "out", "--gallery"), "beside": (), "in place": backup}[place]
    found = colored(album, "--compare", *out)
    assert {name: found[name]["status"] for name in names} == dict.fromkeys(names, "coloured")
    assert not any(entry["notes"] for entry in found.values())
    places = {entry["output"] for entry in found.values()}
    assert len(places) == len(names)
    for path in places:
        assert np.ptp(np.asarray(Image.open(path).convert("RGB")).astype(int), axis=2).max() > 2
    if place == "beside":  # what was made is no photo to colour
        assert set(colored(album, "--compare")) == set(names)


def test_one_photo_gets_the_name_that_out_says(album, tmp_path):
    photo(album / "photo.jpg")
    out = tmp_path / "new" / "other.PNG"
    for status in ("coloured", "kept"):
        found = colored(album / "photo.jpg", "--out", out, "--compare")["photo.jpg"]
        assert found["status"] == status
    assert Image.open(out).format == "PNG"
    assert {path.name for path in out.parent.iterdir()} == {"other.PNG", "other.compare.jpg"}


@pytest.mark.parametrize(
    ("what", "out", "more", "named"),
    [
        ("", "other.jpg", [], "other.jpg"),
        ("photo.jpg", "other.mp4", [], "other.mp4"),
        ("film.mp4", "other.jpg", [], "other.jpg"),
        ("photo.jpg", "other.jpg", ["--format", "png"], "--format"),
        ("photo.jpg", "other.jpg", ["--depth", "16"], "--depth"),
        ("photo.jpg", "photo.jpg", ["--overwrite"], "photo.jpg"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(what, out, more, named, album):
    photo(album / "photo.jpg")
    (album / "film.mp4").write_bytes(b"film")
    line = one_line(invoke("colorize", album / what, "--out", album / out, *more), 2)
    assert named in line
    assert {path.name for path in album.iterdir()} == {"photo.jpg", "film.mp4"}


def test_a_namesake_that_comes_later_leaves_the_names_of_what_is_done(album, tmp_path):
    words = (album, "--out", tmp_path / "out", "--format", "png", "--compare")
    photo(album / "photo.jpg")
    colored(*words)
    for name in ("photo.tif", "photo.apng.png", "photo.png"):
        photo(album / name, (20, 20))
    for first in (True, False):
        found = colored(*words)
        assert found["photo.jpg"]["status"] == "done"
        assert os.path.basename(found["photo.jpg"]["output"]) == "photo.png"
        others = [name for name in found if name != "photo.jpg"]
        assert {found[name]["status"] for name in others} == {"coloured" if first else "done"}
    out = tmp_path / "out"
    assert Image.open(out / "photo.png").size == (40, 30)
    assert Image.open(out / "photo.tif.png").size == Image.open(out / "photo.png.png").size
    assert Image.open(out / "photo.compare.jpg").height == 30
    assert len(list(out.glob("*.compare.jpg"))) == 4


def test_namesakes_have_comparisons_of_their_own(album, tmp_path):
    for name in ("photo.jpg", "photo.png", "photo.JPG"):
        photo(album / name)
    found = colored(album, "--out", tmp_path / "out", "--compare")
    assert {entry["status"] for entry in found.values()} == {"coloured"}
    assert len(list((tmp_path / "out").glob("*.compare.jpg"))) == 3
    assert {entry["status"] for entry in colored(album, "--compare").values()} == {"coloured"}


def test_whatever_becomes_of_a_by_product_the_photo_is_coloured(album, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "taken.compare.jpg").write_text("precious")
    photo(album / "taken.jpg")
    photo(album / "panorama.jpg", (33_000, 501))  # two of them beside each other are no JPEG
    found = colored(album, "--out", out, "--compare")
    assert {entry["status"] for entry in found.values()} == {"coloured"}
    assert [name for name, entry in found.items() if entry["notes"]] == ["taken.jpg"]
    assert (out / "taken.compare.jpg").read_text() == "precious"
    assert Image.open(out / "panorama.compare.jpg").size == (33_000, 501 + 17 + 501)


def test_what_was_made_of_another_folder_is_kept(album, tmp_path):
    photo(album / "photo.jpg")
    colored(album, "--out", tmp_path / "out")
    before = (tmp_path / "out" / "photo.jpg").read_bytes()
    moved = album.rename(tmp_path / "moved")
    assert colored(moved, "--out", tmp_path / "out")["photo.jpg"]["status"] == "done"
    photo(moved / "photo.jpg", (20, 20))  # the same name, but is it the same photo?
    assert colored(moved, "--out", tmp_path / "out")["photo.jpg"]["status"] == "kept"
    assert (tmp_path / "out" / "photo.jpg").read_bytes() == before


def test_what_another_job_has_made_is_no_photo(album, tmp_path):
    photo(album / "photo.jpg")
    colored(album, "--out", album / "earlier", "--compare")
    shutil.copy(album / "photo.jpg", album / "earlier" / "another.jpg")
    assert set(colored(album, "--out", tmp_path / "out")) == {"photo.jpg", "another.jpg"}


@pytest.mark.parametrize("command", ["colorize", "prepare"])
def test_folders_that_cannot_be_read_are_named(command, album, tmp_path):
    Image.fromarray(data.chelsea()).save(album / "photo.jpg")
    place = os.open(album, os.O_RDONLY)
    for _ in range(20):  # deeper than any path can be, which stops root, too
        os.mkdir("d" * 250, dir_fd=place)
        above, place = place, os.open("d" * 250, os.O_RDONLY, dir_fd=place)
        os.close(above)
    os.close(place)
    result = invoke(command, album, "--out", tmp_path / "out")
    assert result.returncode == 3
    assert "failed: " in result.stderr
    assert "cannot be read" in result.stderr


def test_what_is_no_file_is_a_failure_among_others(album, tmp_path):
    photo(album / "photo.jpg")
    os.mkfifo(album / "pipe.jpg")
    (album / "notes.txt").write_text("of grandmother")
    result = invoke("colorize", album, "--out", tmp_path / "out")
    assert result.returncode == 3
    assert "1 photos coloured, 1 failed" in result.stdout
    assert "pipe.jpg" in result.stderr
    assert "1 .txt" in result.stderr
    result = invoke("colorize", album / "pipe.jpg", "--out", tmp_path / "out")
    assert result.returncode == 1
