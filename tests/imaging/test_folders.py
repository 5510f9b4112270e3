"""What is found below a folder, and what is told of the rest."""

import os

import pytest
from PIL import Image

from pix2color.errors import DataError, ImageError
from pix2color.imaging.folders import describe_others, find_photos, search
from pix2color.imaging.io import read_file, read_rgb, write_picture


def names(paths, folder):
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def test_other_kinds_are_named_and_counted(write_photo, tmp_path):
    write_photo("a.jpg")
    for name in ("b.psb", "c.txt", "d.txt", "README", "sub/e.txt", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no photo")
    found = search(tmp_path)
    assert names(found.photos, tmp_path) == ["a.jpg"]
    assert names(found.others, tmp_path) == ["README", "b.psb", "c.txt", "d.txt", "sub/e.txt"]
    told = describe_others(found.others)
    assert "5 files" in told
    assert "3 .txt" in told
    assert "1 .psb" in told
    assert describe_others([]) == ""


def test_pipes_and_loops_of_links_are_named_and_never_read(write_photo, tmp_path):
    write_photo("a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    found = search(tmp_path)
    assert names(found.photos, tmp_path) == ["a.jpg", "gone.jpg"]  # named when it is read
    assert names(found.unreadable, tmp_path) == ["loop.jpg", "pipe.jpg"]
    for read in (read_file, read_rgb):
        with pytest.raises(ImageError, match="pipe"):
            read(tmp_path / "pipe.jpg")


def test_our_own_by_products_are_no_photos(write_photo, tmp_path):
    write_photo("a.jpg")
    for place in ("runs/a/config.yaml", "runs/a/metrics.jsonl"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("{}")
    write_photo("runs/a/samples/step-1.jpg")
    write_photo("site/config.yaml.jpg")
    (tmp_path / "site" / "config.yaml").write_text("of something else")
    write_picture(tmp_path / "sheet.png", Image.new("RGB", (8, 8)), own=True)
    write_picture(tmp_path / "photo.png", Image.new("RGB", (8, 8)))
    assert names(find_photos(tmp_path), tmp_path) == ["a.jpg", "photo.png", "site/config.yaml.jpg"]
    with pytest.raises(DataError, match="no photo"):
        find_photos(tmp_path / "runs")
