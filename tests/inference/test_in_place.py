"""``pix2color colorize --in-place``: the files stay the same files, and no original is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from command_line import invoke
from PIL import Image
from skimage import data

from pix2color.errors import ImageError
from pix2color.inference.in_place import ChangedError, replace_photo

OLD = 915_148_800_000_000_000  # 1999, in ns


@pytest.fixture
def album(tmp_path, write_photo):
    camera = Image.fromarray(data.camera())
    write_photo("album/one.jpg", camera.resize((60, 40)))
    write_photo("album/sub/two.png", camera.resize((50, 70)))
    return tmp_path / "album"


def replace(album, *more):
    return invoke("colorize", album, "--in-place", "--backup", album.parent / "backup", *more)


def is_colored(path):
    return Image.open(path).mode == "RGB"


def test_mode_and_times_of_photo_and_backup_stay(album):
    photo = album / "sub" / "two.png"
    photo.chmod(0o600)
    os.utime(photo, ns=(OLD, OLD))
    assert replace(album).returncode == 0
    for path in (photo, album.parent / "backup" / "sub" / "two.png"):
        assert (path.stat().st_mode & 0o777, path.stat().st_mtime_ns) == (0o600, OLD)
    assert is_colored(photo)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_other_names_of_a_file_show_the_colours_too(link, album, tmp_path):
    photo = album / "one.jpg"
    original = photo.read_bytes()
    os.utime(photo, ns=(OLD, OLD))
    file = photo.stat().st_ino
    link(photo, album / "again.jpg")
    link(photo, tmp_path / "elsewhere.jpg")
    result = replace(album)
    assert result.returncode == 0, result.stderr
    assert "2 photos coloured" in result.stdout  # one of them has two names
    for path in (photo, album / "again.jpg", tmp_path / "elsewhere.jpg"):
        assert is_colored(path)
        assert path.stat().st_mtime_ns == OLD
    assert (album / "again.jpg").is_symlink() == (link is os.symlink)
    assert link is os.symlink or photo.stat().st_ino == file
    kept = [path for path in (tmp_path / "backup").glob("*.jpg") if path.read_bytes() == original]
    assert len(kept) == 1
    again = replace(album, "--saturation", 2)
    assert "0 photos coloured, 0 failed, 2 done before" in again.stdout


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.gif", "a.png"])
def test_files_of_several_pages_are_refused_or_coloured_as_a_whole(name, album):
    pages = [Image.fromarray(data.camera()).resize((40 + n, 40 + n)) for n in range(3)]
    pages = [page.convert("RGB") if name == "a.webp" else page for page in pages]
    size = pages[0].size
    pages = [page.resize(size) for page in pages] if name != "a.tif" else pages
    options = {} if name == "a.tif" else {"duration": [100, 200, 300]}
    path = album / name
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)
    before = path.read_bytes()
    result = replace(album)
    assert result.returncode == 3
    assert f"{name}: has 3 pages" in result.stderr
    assert path.read_bytes() == before
    assert not (album.parent / "backup" / name).exists()
    assert replace(album, "--pages", "all").returncode == 0
    with Image.open(path) as whole:
        assert whole.n_frames == 3
        for number, page in enumerate(pages):
            whole.seek(number)
            assert whole.size == page.size
            assert whole.convert("RGB").getextrema() != (page.convert("RGB").getextrema())
            if options and name != "a.webp":
                assert whole.info["duration"] == options["duration"][number]


def test_a_photo_that_was_saved_anew_meanwhile_is_left_as_it_is(tmp_path):
    photo, backup = tmp_path / "photo.jpg", tmp_path / "backup" / "photo.jpg"
    recorded = []

    def coloured_from(original, *, replaced=False):
        replace_photo(
            *(photo, original, b"coloured", backup),
            record=lambda: recorded.append(original),
            was_replaced=lambda: replaced,
        )

    photo.write_bytes(b"new")
    with pytest.raises(ChangedError):
        coloured_from(b"old")
    assert not backup.exists()  # or the new one could never be kept there
    with pytest.raises(ChangedError):
        coloured_from(b"old", replaced=True)
    assert backup.read_bytes() == b"old"  # of the other job
    with pytest.raises(ImageError, match="another --backup"):
        coloured_from(b"new")
    assert (photo.read_bytes(), recorded) == (b"new", [])
    backup.unlink()
    coloured_from(b"new")
    assert (photo.read_bytes(), backup.read_bytes()) == (b"coloured", b"new")
    assert recorded == [b"new"]


def test_two_jobs_at_once_agree(album):
    for number in range(12):
        photo = Image.fromarray(data.camera()).resize((60 + number, 40))
        photo.save(album / f"{number}.jpg")
    before = {path.name: path.read_bytes() for path in album.rglob("*.*")}
    command = [sys.executable, "-m", "pix2color", "colorize", str(album), "--in-place"]
    command += ["--backup", str(album.parent / "backup")]
    jobs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [job.communicate(timeout=60)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], told
    assert all(map(is_colored, album.rglob("*.*g")))
    kept = {p.name: p.read_bytes() for p in (album.parent / "backup").rglob("*.*g")}
    assert kept == before


def test_what_killed_jobs_left_in_a_backup_goes(album):
    kept = album.parent / "backup" / "sub"
    kept.mkdir(parents=True)
    code = "import os, pathlib, sys; from pix2color.files import replacing\n"
    code += "with replacing(pathlib.Path(sys.argv[1])) as half: half.touch(); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, kept / "two.png"], check=False)
    (left,) = kept.iterdir()
    assert replace(album).returncode == 0
    assert not left.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_told_to_stop_says_what_it_has_done(number, album, tmp_path):
    photo = (album / "one.jpg").read_bytes()
    for count in range(400):
        (album / f"{count}.jpg").write_bytes(photo)
    command = [sys.executable, "-m", "pix2color", "colorize", str(album), "--out"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "out")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "out").glob("*.jpg")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "photos coloured, 0 failed" in stdout
    assert "Traceback" not in stderr


def test_watching_goes_on_when_a_folder_is_away_and_when_namesakes_come(album, tmp_path):
    other, out = tmp_path / "other", tmp_path / "out"
    other.mkdir()
    command = [sys.executable, "-m", "pix2color", "colorize", str(album), str(other), "--out"]
    process = subprocess.Popen(
        [*command, str(out), "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.extend(process.stderr), daemon=True)
    reader.start()

    def wait_for(what):
        end = time.monotonic() + 40
        while not what():
            assert process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.05)

    wait_for((out / "one.jpg").exists)
    away = album.rename(tmp_path / "away")
    wait_for(lambda: any("away" in line for line in told))
    away.rename(album)
    Image.fromarray(data.camera()).resize((33, 33)).save(other / "one.jpg")
    Image.fromarray(data.camera()).resize((33, 33)).save(other / "three.jpg")
    wait_for((out / "three.jpg").exists)
    wait_for(lambda: any("both" in line for line in told))
    process.send_signal(signal.SIGTERM)
    assert "3 photos coloured, 1 failed" in process.communicate(timeout=30)[0]
    assert process.returncode == 3
    assert Image.open(out / "one.jpg").size == (60, 40)
    assert Path(out / "three.jpg").is_file()
