"""``pix2color colorize`` on real files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import ROOT, colour_photos, one_line, pix2color
from PIL import Image
from skimage import data

from pix2color.color.lab import rgb_to_lab
from pix2color.imaging.metadata import SOURCE_TYPE


@pytest.fixture
def album(tmp_path, write_photo):
    """Gray photos of several kinds, two levels deep."""
    camera = Image.fromarray(data.camera())
    write_photo("album/camera.jpg", camera.resize((301, 203)))
    write_photo("album/deep/er/tall.png", camera.resize((50, 171)))
    write_photo("album/deep/tiny.png", camera.resize((3, 2)))
    write_photo("album/old.gif", camera.resize((64, 48)))
    exif = Image.Exif()
    exif[0x0112] = 6
    write_photo("album/turned.jpg", camera.resize((80, 40)), exif=exif)
    return tmp_path / "album"


def made(folder):
    """Names of the files below a folder, but for hidden ones."""
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in names if not name.startswith("."))


def lightness(path):
    pixels = np.array(Image.open(path).convert("RGB"))
    return rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0, 0].numpy()


def test_a_folder_is_mirrored_with_size_and_luminance_kept(album, tmp_path):
    out = tmp_path / "out"
    result = pix2color("colorize", album, "--out", out)  # by the model that ships
    assert result.returncode == 0, result.stderr
    assert made(out) == ["camera.jpg", "deep/er/tall.png", "deep/tiny.png", "old.png", "turned.jpg"]
    assert Image.open(out / "turned.jpg").size == (40, 80)
    for name in ("deep/er/tall.png", "deep/tiny.png"):
        assert Image.open(out / name).size == Image.open(album / name).size
        moved = np.abs(lightness(out / name) - lightness(album / name))
        assert moved.mean() < 0.3
        assert moved.max() < 2
    assert "5 photos coloured, 0 failed" in result.stdout


def test_files_and_json(album, pretrained, tmp_path):
    (album / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    files = [album / "camera.jpg", album / "broken.jpg", album / "camera.jpg"]
    result = pix2color("colorize", *files, "--model", pretrained, "--out", out, "--json")
    assert result.returncode == 3
    broken, camera = json.loads(result.stdout)
    assert (camera["status"], camera["output"]) == ("coloured", str(out / "camera.jpg"))
    assert broken["status"] == "failed"
    assert broken["output"] is None
    assert "broken.jpg: cannot be read" in broken["reason"]
    assert made(out) == ["camera.jpg"]


def test_all_failed_is_failed(album, pretrained, tmp_path):
    (album / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "out"
    result = pix2color("colorize", album / "broken.jpg", "--model", pretrained, "--out", out)
    assert result.returncode == 1
    assert made(out) == []


def test_originals_are_never_overwritten(album, pretrained):
    before = {p: p.read_bytes() for p in album.rglob("*") if p.is_file()}
    told = one_line(pix2color("colorize", album, "--model", pretrained, "--out", album), 2)
    assert "overwrite" in told
    told = one_line(
        pix2color("colorize", album / "camera.jpg", "--model", pretrained, "--out", album), 2
    )
    assert "camera.jpg" in told
    assert before == {p: p.read_bytes() for p in album.rglob("*") if p.is_file()}


def test_a_path_alone_is_coloured_beside_the_photo_and_nothing_is_overwritten(album):
    before = {p: p.read_bytes() for p in album.rglob("*") if p.is_file()}
    result = pix2color(album / "deep")
    assert result.returncode == 0, result.stderr
    new = ["er/tall-colour.jpg", "er/tall.png", "tiny-colour.jpg", "tiny.png"]
    assert made(album / "deep") == new
    assert Image.open(album / "deep" / "er" / "tall-colour.jpg").size == (50, 171)
    once = (album / "deep" / "tiny-colour.jpg").read_bytes()
    again = pix2color(album / "deep", album / "deep" / "tiny.png", "--saturation", 2, "--json")
    assert again.returncode == 0, again.stderr
    assert [photo["status"] for photo in json.loads(again.stdout)] == ["kept", "kept"]
    assert made(album / "deep") == new
    assert (album / "deep" / "tiny-colour.jpg").read_bytes() == once
    assert before.items() <= {p: p.read_bytes() for p in album.rglob("*") if p.is_file()}.items()
    assert pix2color(album / "camera.jpg", "--format", "png", "--suffix", "-2").returncode == 0
    assert np.ptp(np.asarray(Image.open(album / "camera-2.png")).astype(int), axis=2).max() > 5


def test_namesakes_have_places_of_their_own_beside_them_again_and_again(album):
    Image.fromarray(data.camera()).resize((40, 40)).save(album / "old.png")
    for _ in range(2):
        result = invoke(album, "--compare", "--doubt")
        assert result.returncode == 0, result.stderr
        assert sum("-colour" in name and "." in name for name in made(album)) == 6 * 3
    assert {"old-colour.gif.jpg", "old-colour.png.jpg"} <= set(made(album))


def test_a_by_product_of_a_killed_job_does_not_hold_up_the_photo(album):
    (album / "camera-colour.compare.jpg").write_bytes(b"left")
    result = invoke(album / "camera.jpg", "--compare")
    assert result.returncode == 0, result.stderr
    assert (album / "camera-colour.jpg").is_file()
    assert (album / "camera-colour.compare.jpg").read_bytes() == b"left"


def test_processes_agree_on_the_photos_while_others_write_among_them(album):
    out = album / "colour"
    for shard in ("2/2", "1/2", "2/2"):
        result = invoke("colorize", album, "--out", out, "--shard", shard)
        assert result.returncode == 0, result.stderr
    assert len(made(out)) == 5


@pytest.mark.parametrize("values", [("x", "4"), ("5", "2"), ("-1", "2"), ("0", "0")])
def test_launchers_that_talk_nonsense_are_told(values, album, tmp_path, monkeypatch):
    for name, value in zip(("SLURM_PROCID", "SLURM_NTASKS"), values, strict=True):
        monkeypatch.setenv(name, value)
    assert "SLURM_NTASKS" in one_line(invoke("colorize", album, "--out", tmp_path / "out"), 2)


def test_what_is_neither_command_nor_path_is_named(album):
    for path in (album / "none.jpg", "./nowhere", f"none{os.sep}"):
        assert "no such" in one_line(pix2color(path), 2)
    assert "colorise" in pix2color("colorise", album).stderr


def test_two_photos_never_become_one_file(album, pretrained, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(album / "camera.jpg", other)
    result = pix2color(
        *("colorize", album / "camera.jpg", other / "camera.jpg", "--model", pretrained),
        *("--out", tmp_path / "out"),
    )
    assert "both" in one_line(result, 2)


def test_namesakes_of_other_formats_get_names_of_their_own(album, pretrained, tmp_path):
    Image.fromarray(data.camera()).resize((40, 40)).save(album / "old.png")
    out = tmp_path / "out"
    words = ("colorize", album, "--model", pretrained, "--out", out)
    assert pix2color(*words).returncode == 0
    assert Image.open(out / "old.png").size == (40, 40)
    assert Image.open(out / "old.gif.png").size == (64, 48)


def test_wrong_paths_are_named(album, pretrained, tmp_path):
    (tmp_path / "m.safetensors").write_text("<!doctype html>")
    (tmp_path / "empty").mkdir()
    out = ("--out", tmp_path / "out")
    for code, told, *words in (
        (2, "nothing.jpg", "nothing.jpg", "--model", pretrained),
        (2, "norun", album, "--model", "norun"),
        (1, "web page", album, "--model", tmp_path / "m.safetensors"),
        (1, "no photo", tmp_path / "empty", "--model", pretrained),
    ):
        assert told in one_line(pix2color("colorize", *words, *out), code)
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_named_and_the_others_are_coloured(
    album, pretrained, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "deep").write_text("in the way")
    result = pix2color("colorize", album, "--model", pretrained, "--out", out, "--json")
    assert result.returncode == 3, result.stderr
    failed = [o for o in json.loads(result.stdout) if o["status"] == "failed"]
    assert len(failed) == 2
    for outcome in failed:
        assert outcome["input"] in outcome["reason"]
        assert str(out / "deep") in outcome["reason"]
    assert {"camera.jpg", "old.png", "turned.jpg"} < set(made(out))


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


class TestWhatIsThere:
    def test_colour_photos_are_left_alone_unless_forced(self, pretrained, write_photo, tmp_path):
        path = write_photo("cat.jpg", Image.fromarray(colour_photos()["chelsea"]))
        words = ("colorize", path, "--model", pretrained, "--out", tmp_path / "out")
        result = pix2color(*words, "--json")
        assert result.returncode == 0
        (outcome,) = json.loads(result.stdout)
        assert (outcome["status"], outcome["output"]) == ("has colour", None)
        assert "--force" in outcome["reason"]
        assert made(tmp_path / "out") == []
        assert pix2color(*words, "--force").returncode == 0
        assert made(tmp_path / "out") == ["cat.jpg"]

    def test_in_place_keeps_the_originals(self, album, pretrained, tmp_path):
        backup = tmp_path / "backup"
        (album / "old.gif").unlink()
        before = {name: (album / name).read_bytes() for name in made(album)}
        words = ("colorize", album, "--model", pretrained, "--in-place", "--backup", backup)
        assert pix2color(*words).returncode == 0
        assert {name: (backup / name).read_bytes() for name in made(backup)} == before
        after = {name: (album / name).read_bytes() for name in made(album)}
        assert after.keys() == before.keys()
        assert all(after[name] != before[name] for name in before)
        result = pix2color(*words, "--json", "--saturation", 2)
        assert {o["status"] for o in json.loads(result.stdout)} == {"done"}
        assert {name: (album / name).read_bytes() for name in made(album)} == after

    def test_requests_that_cannot_be_meant(self, album, pretrained, tmp_path):
        out = ("--out", tmp_path / "out")
        here = ("colorize", album, "--model", pretrained)
        (tmp_path / "file").write_text("")
        (tmp_path / "page").mkdir()
        (tmp_path / "page" / "gallery.html").write_text("my own page")
        for told, *words in (
            ("--backup", *here, "--in-place"),
            ("--in-place", *here, *out, "--backup", tmp_path / "b"),
            ("--gallery", *here, "--gallery"),
            ("--suffix", *here, *out, "--suffix", "a/b"),
            ("among the photos", *here, "--in-place", "--backup", album / "originals"),
            ("is a file", *here, "--out", tmp_path / "file"),
            ("gallery.html", *here, "--out", tmp_path / "page", "--gallery"),
            ("gray", *here, *out, "--like", album / "camera.jpg"),
            ("none.jpg", *here, *out, "--like", "none.jpg"),
            ("--watch", *("colorize", album / "camera.jpg"), *here[2:], *out, "--watch"),
            ("device", *here, *out, "--device", "abacus"),
        ):
            assert told in one_line(pix2color(*words), 2)
        assert not (tmp_path / "out").exists()


def test_controls_change_the_colours_and_not_the_luminance(write_photo, tmp_path):
    path = write_photo("camera.png", Image.fromarray(data.camera()))
    like = write_photo("like.png", Image.fromarray(colour_photos()["coffee"]))

    def chroma(*words):
        out = tmp_path / "out"
        command = ("colorize", path, "--out", out, "--overwrite", *words)
        result = pix2color(*command)
        assert result.returncode == 0, result.stderr
        pixels = torch.from_numpy(np.array(Image.open(out / "camera.png"))).permute(2, 0, 1)
        lab = rgb_to_lab(pixels[None])[0]
        assert np.abs(lab[0].numpy() - lightness(path)).mean() < 0.3
        return lab[1:].mean((1, 2)), lab[1:].norm(dim=0).mean()

    mean, amount = chroma()
    assert chroma("--saturation", 0)[1] < 0.5
    assert chroma("--saturation", 3)[1] > 1.3 * amount
    assert chroma("--temperature", 100)[0][1] > mean[1] + 5
    assert chroma("--temperature", -100)[0][1] < mean[1] - 5
    assert chroma("--like", like)[0][1] > mean[1] + 5  # coffee is brown
    chroma("--tta", "--render-size", 64)


def test_compare_gallery_format_and_metadata(album, pretrained, tmp_path):
    out = tmp_path / "out"
    words = ("--format", "png", "--compare", "--gallery", "--out", out, "--model", pretrained)
    result = pix2color("colorize", album, *words)
    assert result.returncode == 0, result.stderr
    assert {"camera.png", "camera.compare.jpg", "gallery.html", "old.png"} <= set(made(out))
    before, after = data.camera(), Image.open(out / "camera.compare.jpg")
    assert after.size == (2 * 301 + 17, 203)
    left = np.asarray(after.convert("L").crop((0, 0, 301, 203)), dtype=int)
    truth = np.asarray(Image.open(album / "camera.jpg"), dtype=int)
    assert np.abs(left - truth).mean() < 3
    assert before.ndim == 2
    assert (out / "gallery.html").read_text().count("<figure>") == 5
    assert SOURCE_TYPE in Image.open(out / "camera.png").info["xmp"].decode()
    result = pix2color("colorize", album, *words, "--strip-metadata", "--overwrite")
    assert "xmp" not in Image.open(out / "camera.png").info


def test_a_truncated_photo_is_named_or_taken_as_far_as_it_goes(album, pretrained, tmp_path):
    path = album / "camera.jpg"
    path.write_bytes(path.read_bytes()[:5000])
    words = ("colorize", path, "--model", pretrained, "--out", tmp_path / "out")
    result = pix2color(*words)
    assert result.returncode == 1
    assert "truncated" in result.stderr
    assert pix2color(*words, "--allow-truncated").returncode == 0
    assert Image.open(tmp_path / "out" / "camera.jpg").size == (301, 203)


def test_torchrun_shares_the_photos(album, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["-m", "pix2color", "colorize", str(album)]
    result = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert len(made(out)) == 5
    told = sorted(line.split(" photos")[0] for line in result.stdout.splitlines())
    assert told == ["2", "3"]
    assert len(list((out / ".pix2color").iterdir())) == 2


@pytest.mark.parametrize("how", ["--shard", "torchrun", "srun"])
def test_processes_share_the_photos(how, album, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shares = []
    for number in range(3):
        words = ["colorize", album, "--out", out, "--json"]
        if how == "--shard":
            words += ["--shard", f"{number + 1}/3"]
        else:
            names = (
                ("RANK", "WORLD_SIZE") if how == "torchrun" else ("SLURM_PROCID", "SLURM_NTASKS")
            )
            for name, value in zip(names, (number, 3), strict=True):
                monkeypatch.setenv(name, str(value))
        result = invoke(*words)
        assert result.returncode == 0, result.stderr
        shares.append({photo["input"] for photo in json.loads(result.stdout)})
    assert sorted(map(len, shares)) == [1, 2, 2]
    assert len(set.union(*shares)) == len(made(out)) == 5


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_share_that_is_none_is_refused(shard, album, tmp_path):
    words = ("colorize", album, "--out", tmp_path / "out", f"--shard={shard}")
    assert "I/N" in one_line(invoke(*words), 2)


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


def test_what_was_measured_of_colours_is_in_the_json(tmp_path):
    color = data.coffee()[:200, :300].astype(float)
    gray = color.mean(2, keepdims=True)
    for name, share in (("gray", 0), ("less", 0.05), ("more", 0.1), ("full", 1)):
        pixels = gray + share * (color - gray)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    done = invoke("colorize", tmp_path, "--out", tmp_path / "out", "--json")
    found = {os.path.basename(r["input"])[:-4]: r for r in json.loads(done.stdout)}
    measures = [found[name]["color"] for name in ("gray", "less", "more", "full")]
    assert measures == sorted(measures)
    assert measures[0] == 0
    assert measures[3] > 1
    doubtful = {name for name, result in found.items() if result["doubtful"]}
    assert doubtful == {"less", "more"}
    coloured = {name for name, result in found.items() if result["status"] == "coloured"}
    assert coloured == {"gray", "less"}
    assert done.stderr.count("perhaps") == 2
