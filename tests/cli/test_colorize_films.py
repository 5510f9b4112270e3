"""Films on the command line: beside photos, done once, and taken up again after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import films
import numpy as np
import pytest
from command_line import invoke
from skimage import data, io


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "in"
    (inside / "deep").mkdir(parents=True)
    io.imsave(inside / "photo.png", data.camera()[::8, ::8], check_contrast=False)
    films.write_film(inside / "deep" / "film.avi", films.drawn_frames(6))
    films.write_film(inside / "film.mkv", films.drawn_frames(6, seed=1))
    return inside


def outcome(result):
    return {os.path.basename(r["input"]): r["status"] for r in json.loads(result.stdout)}


def test_films_among_photos_are_colored_once(folder, tmp_path):
    out = tmp_path / "out"
    arguments = ("colorize", folder, "--out", out, "--json", "--codec", "ffv1")
    assert set(outcome(invoke(*arguments)).values()) == {"coloured"}
    found = {str(p.relative_to(out)) for p in out.rglob("*") if ".pix2color" not in p.parts}
    assert found - {"deep"} == {"photo.png", "film.mkv", "deep/film.mkv"}
    before = (out / "film.mkv").stat().st_mtime_ns
    assert set(outcome(invoke(*arguments)).values()) == {"done"}
    assert (out / "film.mkv").stat().st_mtime_ns == before
    assert outcome(invoke(*arguments, "--saturation", "0.5"))["film.mkv"] == "kept"
    assert (
        outcome(invoke(*arguments, "--saturation", "0.5", "--overwrite"))["film.mkv"] == "coloured"
    )


def test_a_film_gets_the_name_it_is_given_and_hints_say_when(folder, tmp_path):
    target = tmp_path / "new" / "colour.mp4"
    arguments = ("colorize", folder / "film.mkv", "--out", target)
    assert invoke(*arguments, "--hint", "20,20,red").returncode == 2
    assert invoke(*arguments, "--hint", "20,20,red@0:00.1", "--crf", "30").returncode == 0
    assert len(films.times(target)) == 6
    assert invoke("colorize", folder, "--out", target.with_name("other.mp4")).returncode == 2
    assert invoke(*arguments, "--codec", "ffv1", "--crf", "3").returncode == 2


def test_a_preview_gives_way_to_the_film(folder, tmp_path):
    arguments = ("colorize", folder / "film.mkv", "--out", tmp_path / "colour.mkv")
    for more, count in ((("--preview", "0.1"), 3), ((), 6), ((), 6)):
        assert invoke(*arguments, *more).returncode == 0
        assert len(films.times(tmp_path / "colour.mkv")) == count
    assert outcome(invoke(*arguments, "--json")) == {"film.mkv": "done"}


def test_a_film_alone_goes_beside_itself_and_is_none_to_color_again(folder):
    assert invoke("colorize", folder, "--no-temporal").returncode == 0
    assert (folder / "film-colour.mkv").is_file()
    results = outcome(invoke("colorize", folder, "--json", "--no-temporal"))
    assert set(results) == {"photo.png", "film.mkv", "film.avi"}


def test_films_are_not_replaced_in_place(folder, tmp_path):
    before = (folder / "film.mkv").read_bytes()
    result = invoke("colorize", folder, "--in-place", "--backup", tmp_path / "b", "--json")
    assert result.returncode == 3
    assert outcome(result)["film.mkv"] == "failed"
    assert (folder / "film.mkv").read_bytes() == before


def test_after_a_kill_the_film_is_what_it_would_have_been(tmp_path):
    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(300, (64, 48)))
    command = [sys.executable, "-m", "pix2color", "colorize", film, "--codec", "ffv1", "--out"]
    whole, taken_up = tmp_path / "whole.mkv", tmp_path / "taken-up.mkv"
    subprocess.run([*command, whole], check=True, capture_output=True)
    for count in (1,):
        process = subprocess.Popen([*command, taken_up], stderr=subprocess.DEVNULL)
        while len(list(tmp_path.glob(".taken-up.mkv.pieces/*.npz"))) < count:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not taken_up.exists()
    done = subprocess.run([*command, taken_up], check=True, capture_output=True, text=True)
    assert int(done.stderr.split("colorize: ")[-1].split("/")[0]) == 300
    assert films.times(taken_up) == films.times(film)
    for first, second in zip(films.chromas(whole), films.chromas(taken_up), strict=True):
        assert np.array_equal(first, second)
    assert {path.name for path in tmp_path.iterdir()} == {film.name, whole.name, taken_up.name}


def test_a_film_without_the_extra_fails_with_the_line_that_installs_it(folder, tmp_path):
    blocked = "import sys; sys.modules['av'] = None; from pix2color.cli.main import main; main()"
    command = [sys.executable, "-c", blocked, "colorize", folder, "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert "pix2color[video]" in done.stderr
    assert (tmp_path / "out" / "photo.png").is_file()
