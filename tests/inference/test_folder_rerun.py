"""``pix2color colorize`` once more on the same folder: what is done, killed, or new."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import made, pix2color
from PIL import Image
from skimage import data


class TestRerun:
    def test_what_is_done_is_not_done_again_unless_something_changed(
        self, album, pretrained, tmp_path
    ):
        out = tmp_path / "out"

        def run(*more):
            words = ("colorize", album, "--model", pretrained, "--out", out, "--json", *more)
            result = pix2color(*words)
            assert result.returncode == 0, result.stderr
            return {
                os.path.relpath(o["input"], album): o["status"] for o in json.loads(result.stdout)
            }

        assert set(run().values()) == {"coloured"}
        before = {p: p.stat().st_mtime_ns for p in out.rglob("*.*") if p.is_file()}
        assert set(run().values()) == {"done"}
        (album / "camera.jpg").write_bytes((album / "turned.jpg").read_bytes())
        (out / "old.png").unlink()
        assert {n for n, status in run().items() if status == "coloured"} == {
            "camera.jpg",
            "old.gif",
        }
        changed = {p.name for p in before if p.exists() and p.stat().st_mtime_ns != before[p]}
        assert changed - {"done-0.jsonl"} == {"camera.jpg", "old.png"}
        assert set(run("--saturation", 1.5).values()) == {"coloured"}
        assert set(run("--saturation", 1.5, "--overwrite").values()) == {"coloured"}

    def test_a_file_of_somebody_else_is_not_replaced(self, album, pretrained, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        (out / "camera.jpg").write_text("precious")
        words = ("colorize", album / "camera.jpg", "--model", pretrained, "--out", out)
        result = pix2color(*words)
        assert result.returncode == 0
        assert "kept" in result.stderr
        assert "--overwrite" in result.stderr
        assert (out / "camera.jpg").read_text() == "precious"
        assert pix2color(*words, "--overwrite").returncode == 0
        assert Image.open(out / "camera.jpg").mode == "RGB"

    def test_outputs_among_the_photos_are_no_photos(self, album, pretrained):
        words = ("colorize", album, "--model", pretrained, "--out", album, "--suffix", "-colour")
        assert pix2color(*words).returncode == 0
        first = made(album)
        assert len(first) == 10
        assert "camera-colour.jpg" in first
        result = pix2color(*words, "--json")
        assert {o["status"] for o in json.loads(result.stdout)} == {"done"}
        assert made(album) == first

    @pytest.mark.parametrize(
        "how", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGINT]
    )
    def test_a_killed_job_goes_on_and_leaves_nothing_half_done(self, how, tmp_path):
        album, out = tmp_path / "album", tmp_path / "out"
        album.mkdir()
        picture = Image.fromarray(data.camera())
        for i in range(60):
            picture.rotate(i).save(album / f"{i:02d}.png")
        words = [sys.executable, "-m", "pix2color", "colorize", album, "--out", out]
        stopped = 0
        for already in (3, 20):
            process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            while process.poll() is None and len(list(out.glob("*.png"))) < already:
                time.sleep(0.005)
            process.send_signal(how)
            _, told = process.communicate(timeout=60)
            stopped += process.returncode != 0
            if how == signal.SIGINT and process.returncode:
                assert process.returncode == 130
                assert "goes on from here" in told
                assert "Traceback" not in told
        assert stopped == 2
        finished = {p: p.stat().st_mtime_ns for p in out.glob("*.png")}
        assert 20 <= len(finished) < 60
        for path in finished:
            Image.open(path).load()
        result = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=120)
        statuses = [o["status"] for o in json.loads(result.stdout)]
        assert statuses.count("done") == len(finished)
        assert len(statuses) == 60
        assert len(made(out)) == 60
        assert all(path.stat().st_mtime_ns == was for path, was in finished.items())
        assert not list(out.rglob(".*.part"))


def test_watch_follows_a_folder(album, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pix2color", "colorize", str(album), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--watch", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def wait_for(count):
        end = time.monotonic() + 60
        while not (out.exists() and len(made(out)) == count):
            assert time.monotonic() < end
            time.sleep(0.1)

    wait_for(5)
    shutil.copy(album / "turned.jpg", album / "new.jpg")
    wait_for(6)
    process.send_signal(signal.SIGINT)
    outcomes = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0
    assert sorted(o["status"] for o in outcomes) == ["coloured"] * 6
