"""``pix2color colorize`` on real files."""

import json
import os
import shutil

import numpy as np
import torch
from command_line import invoke
from conftest import colour_photos, made, one_line, pix2color
from PIL import Image
from skimage import data

from pix2color.color.lab import rgb_to_lab
from pix2color.imaging.metadata import SOURCE_TYPE


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
