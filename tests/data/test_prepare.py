"""Prepared folders: what goes in, what comes out, and what a kill leaves."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import colour_photos, one_line, pix2color
from PIL import Image, ImageEnhance
from skimage import data

from pix2color.config.schema import DataConfig
from pix2color.data.batches import EpochOrder, TrainingPhotos, endless_batches
from pix2color.data.deduplicate import NearDuplicates, perceptual_hash
from pix2color.data.sources import PhotoFile, collect
from pix2color.errors import DataError
from pix2color.imaging.io import read_rgb

KINDS = {"raw": [], "shards": ["--shards"]}


def lines(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def prepare(*words):
    result = pix2color("prepare", *words)
    assert result.returncode == 0, result.stderr
    return result


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture
def mixed(tmp_path, write_photo):
    """Good photos, and one of each kind that is to be left out."""
    folder = tmp_path / "mixed"
    for name, pixels in colour_photos().items():
        write_photo(f"mixed/{name}.jpg", Image.fromarray(pixels), quality=95)
    chelsea = Image.fromarray(data.chelsea())
    shutil.copy(folder / "chelsea.jpg", folder / "same.jpg")
    worse = ImageEnhance.Brightness(chelsea.resize((300, 200))).enhance(1.1)
    write_photo("mixed/worse.png", worse)
    write_photo("mixed/gray.png", Image.fromarray(data.camera()))
    write_photo("mixed/tiny.png", chelsea.resize((90, 60)))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_good_photos_are_kept_and_each_other_is_listed(kind, mixed, tmp_path):
    out = tmp_path / "out"
    told = prepare(mixed, "--out", out, "--size", 128, *KINDS[kind]).stderr
    kept = {Path(line["source"]).name: line for line in lines(out / "manifest.csv")}
    assert set(kept) == {"astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"}
    why = {Path(line["source"]).name: line["reason"] for line in lines(out / "dropped.csv")}
    assert why["broken.jpg"].startswith("broken: cannot be read")
    assert why["tiny.png"] == "too small: 90 x 60"
    assert why["gray.png"].startswith("gray: colourfulness 0")
    assert why["same.jpg"] == f"duplicate: of {mixed.resolve() / 'chelsea.jpg'}"
    assert why["worse.png"] == f"near-duplicate: of {mixed.resolve() / 'chelsea.jpg'}"
    assert len(why) == 5
    assert "4 photos prepared, 4 of them now; left out: 1 broken, 1 duplicate" in told


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_the_files(kind, mixed, tmp_path):
    out = tmp_path / "out"
    prepare(mixed, "--out", out, "--size", 128, *KINDS[kind])
    for photo in collect([out]):
        picture = photo.read()
        whole = read_rgb(photo.path)
        expected = whole.resize(picture.size, Image.Resampling.BICUBIC)
        assert min(picture.size) == 128
        assert photo.path.parent == mixed.resolve()
        difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(expected))
        assert difference.mean() < 4
        assert photo.share == PhotoFile(photo.path).share
        assert photo.colorfulness > 6


def test_exif_turns_and_licences_are_kept(tmp_path, write_photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    write_photo("in/turned.jpg", Image.fromarray(data.chelsea()), exif=exif)
    write_photo("in/ümläut, 1.jpg", Image.fromarray(data.coffee()))
    (tmp_path / "list.csv").write_text("licence,file\nCC BY 2.0,in/turned.jpg\n", encoding="utf-8")
    out = tmp_path / "out"
    prepare(tmp_path / "in", "--out", out, "--licences", tmp_path / "list.csv")
    turned, other = collect([out])
    assert turned.read().size == (288, 433)
    assert other.path.name == "ümläut, 1.jpg"
    assert [line["licence"] for line in lines(out / "manifest.csv")] == ["CC BY 2.0", ""]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("\ufefffile,licence\r\n{},CC BY 4.0\r\n", "utf-8"),
        ("file;licence\n{};CC BY 4.0\n", "utf-16"),
        ('licence,file,note\nCC BY 4.0,{},"two\nlines"\nCC0,short.jpg\n', "utf-8"),
    ],
    ids=["mark", "semicolons", "lines"],
)
def test_lists_of_licences_as_spreadsheets_save_them(text, encoding, tmp_path, write_photo):
    write_photo("in/a.png", Image.fromarray(data.chelsea()))
    (tmp_path / "list.csv").write_bytes(text.format("in/a.png").encode(encoding))
    out = tmp_path / "out"
    prepare(tmp_path / "in", "--out", out, "--licences", tmp_path / "list.csv")
    assert [line["licence"] for line in lines(out / "manifest.csv")] == ["CC BY 4.0"]


def test_only_photos_of_a_kind_that_the_list_knows(tmp_path, write_photo):
    for name in ("chelsea", "coffee", "astronaut"):
        write_photo(f"in/{name}.png", Image.fromarray(colour_photos()[name]))
    known = tmp_path / "list.csv"
    known.write_text("file,licence,open\nin/chelsea.png,CC0,yes\nin/coffee.png,,no\n", "utf-8")
    words = (tmp_path / "in", "--licences", known, "--out", tmp_path / "out")
    prepare(*words, "--only", "open=yes")
    assert [photo.path.name for photo in collect([tmp_path / "out"])] == ["chelsea.png"]
    told = one_line(pix2color("prepare", *words[:-1], tmp_path / "o", "--only", "open=perhaps"), 1)
    assert "open=perhaps" in told
    assert "COLUMN=VALUE" in one_line(pix2color("prepare", *words, "--only", "open"), 2)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_running_again_adds_only_what_is_new(kind, mixed, tmp_path):
    out = tmp_path / "out"
    coffee = mixed / "coffee.jpg"
    coffee.rename(tmp_path / "coffee.jpg")
    prepare(mixed, "--out", out, *KINDS[kind])
    before = contents(out)
    assert "3 photos prepared, 0 of them now" in prepare(mixed, "--out", out, *KINDS[kind]).stderr
    assert contents(out) == before
    (tmp_path / "coffee.jpg").rename(coffee)
    assert "4 photos prepared, 1 of them now" in prepare(mixed, "--out", out, *KINDS[kind]).stderr
    assert {p.path.name for p in collect([out])} >= {"coffee.jpg", "rocket.jpg"}
    if kind == "raw":
        assert contents(out)["pictures.bin"].startswith(before["pictures.bin"])


@pytest.mark.parametrize("kind", KINDS)
def test_photos_that_changed_or_went_leave_nothing_behind(kind, tmp_path):
    source, other, out = tmp_path / "in", tmp_path / "other", tmp_path / "out"
    pictures = {name: Image.fromarray(pixels) for name, pixels in colour_photos().items()}
    for folder in (source, other):
        folder.mkdir()
    for name in ("astronaut", "chelsea", "coffee"):
        pictures[name].save(source / f"{name}.png")
    shutil.copy(source / "coffee.png", source / "same.png")
    pictures["rocket"].save(other / "rocket.png")
    words = ("prepare", "--out", out, "--size", 64, "--min-side", 64, "--workers", 0, *KINDS[kind])
    assert invoke(*words, other).returncode == 0
    assert invoke(*words, source).returncode == 0
    gone = {p.path.name: np.asarray(p.read()).tobytes() for p in collect([out])}["coffee.png"]

    ImageEnhance.Color(pictures["chelsea"]).enhance(1.6).save(source / "chelsea.png")
    pictures["rocket"].rotate(90).save(source / "astronaut.png")  # another photo, the same name
    (source / "coffee.png").unlink()
    result = invoke(*words, source)
    assert "4 photos prepared, 3 of them now, 3 taken out" in result.stderr
    photos = {photo.path.name: photo for photo in collect([out])}
    assert set(photos) == {"astronaut.png", "chelsea.png", "same.png", "rocket.png"}
    assert lines(out / "dropped.csv") == []  # the copy's original went, and it is none of itself
    for name, photo in photos.items():
        folder = other if name == "rocket.png" else source
        truth = np.asarray(read_rgb(folder / name).resize(photo.read().size, Image.BICUBIC), int)
        assert np.abs(np.asarray(photo.read(), int) - truth).mean() < 4
    if kind == "raw":
        assert (out / "pictures.bin").read_bytes().count(gone) == 1  # that of its copy
    known = {line["file"] for line in lines(out / "manifest.csv")}
    assert {path.name for path in out.iterdir()} == {
        *("prepared.json", "manifest.csv", "dropped.csv", *known)
    }
    assert "4 photos prepared, 0 of them now" in invoke(*words, source).stderr


def test_colours_of_our_own_are_no_truth(tmp_path, write_photo):
    write_photo("in/true.jpg", Image.fromarray(data.chelsea()))
    write_photo("in/gray.jpg", Image.fromarray(data.camera()))
    assert invoke(tmp_path / "in" / "gray.jpg").returncode == 0
    assert invoke(tmp_path / "in" / "gray.jpg", "--out", tmp_path / "in" / "out").returncode == 0
    assert [photo.path.name for photo in collect([tmp_path / "in"])] == [
        *("gray-colour.jpg", "gray.jpg", "true.jpg")  # that is seen when it is read
    ]
    out = tmp_path / "prepared"
    assert invoke("prepare", tmp_path / "in", "--out", out, "--workers", 0).returncode == 0
    why = {Path(line["source"]).name: line["reason"] for line in lines(out / "dropped.csv")}
    assert why["gray-colour.jpg"] == "coloured by pix2color"
    assert [photo.path.name for photo in collect([out])] == ["true.jpg"]


@pytest.mark.parametrize("kind", ["raw", pytest.param("shards", marks=pytest.mark.slow)])
def test_a_killed_one_goes_on(kind, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    random = np.random.default_rng(0)
    for i in range(60):
        noise = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        noise.resize((400, 300), Image.Resampling.BICUBIC).save(source / f"{i:02d}.jpg")
    shutil.copy(source / "50.jpg", source / "51.jpg")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    prepare(source, "--out", whole, *KINDS[kind])
    words = [sys.executable, "-m", "pix2color", "prepare", source, "--out", killed, *KINDS[kind]]
    written = killed / ("pictures.bin" if kind == "raw" else ".shard.tar.part")
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
    while not written.exists() or written.stat().st_size < 1_000_000:
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    prepare(source, "--out", killed, *KINDS[kind])
    assert contents(killed) == contents(whole)
    assert len(collect([killed])) == 59


def test_a_manifest_cut_short_is_mended(mixed, tmp_path):
    out = tmp_path / "out"
    prepare(mixed, "--out", out)
    before = contents(out)
    manifest = out / "manifest.csv"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    assert len(collect([out])) == 3
    prepare(mixed, "--out", out)
    assert contents(out) == before


def test_other_programs_can_read_the_shards(mixed, tmp_path):
    import webdataset

    out = tmp_path / "out"
    prepare(mixed, "--out", out, "--shards")
    (shard,) = out.glob("shard-*.tar")
    samples = list(webdataset.WebDataset(str(shard), shardshuffle=False).decode("pil"))
    assert [Path(s["json"]["source"]).name for s in samples] == [
        "astronaut.jpg",
        "chelsea.jpg",
        "coffee.jpg",
        "rocket.jpg",
    ]
    for sample, photo in zip(samples, collect([out]), strict=True):
        assert np.array_equal(np.asarray(sample["jpg"]), np.asarray(photo.read()))
    with tarfile.open(shard) as tar:
        assert len(tar.getnames()) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_exact(kind, photos, tmp_path):
    out = tmp_path / "out"
    prepare(photos, "--out", out, "--min-side", 32, *KINDS[kind])
    stored = collect([out])
    config = DataConfig(crop=32, batch_size=4)

    def first(step, workers, count):
        order = EpochOrder(len(stored), 4, seed=0, first_step=step)
        batches = endless_batches(
            TrainingPhotos(stored, config, 0), order, workers=workers, pin_memory=False
        )
        return [next(batches).pixels for _ in range(count)]

    whole = first(0, 0, 9)
    assert all(map(torch.equal, whole, first(0, 2, 9)))
    assert all(map(torch.equal, whole[7:], first(7, 2, 2)))
    assert not whole[0].equal(whole[1])


class TestWrong:
    def test_places(self, mixed, tmp_path, photos):
        out = tmp_path / "out"
        assert "no such folder" in one_line(pix2color("prepare", tmp_path / "no", "--out", out), 2)
        assert not out.exists()
        assert "something else" in one_line(pix2color("prepare", mixed, "--out", mixed), 2)
        prepare(mixed, "--out", out)
        told = one_line(pix2color("prepare", photos, "--out", out, "--size", 100), 2)
        assert "size 288, not 100" in told

    def test_what_its_manifest_promises_must_be_there(self, mixed, tmp_path):
        out = tmp_path / "out"
        prepare(mixed, "--out", out)
        os.truncate(out / "pictures.bin", 1000)
        with pytest.raises(DataError, match="shorter than"):
            collect([out])

    def test_a_damaged_manifest_is_named(self, mixed, tmp_path):
        out = tmp_path / "out"
        prepare(mixed, "--out", out)
        manifest = out / "manifest.csv"
        text = manifest.read_text()
        for damaged in (text.replace(",288,", ",?,"), text.replace("offset", "ofset", 1)):
            manifest.write_text(damaged)
            for command in (("prepare", mixed, "--out", out), ("pretrain", "--data", out)):
                assert f"{manifest}: " in one_line(pix2color(*command), 1)

    def test_nothing_of_use(self, tmp_path, write_photo):
        write_photo("in/gray.png", Image.fromarray(data.camera()))
        prepare(tmp_path / "in", "--out", tmp_path / "out")
        with pytest.raises(DataError, match=r"dropped\.csv"):
            collect([tmp_path / "out"])

    def test_a_list_of_licences(self, mixed, tmp_path):
        bad = tmp_path / "bad.csv"
        bad.write_text("name,terms\n")
        told = one_line(pix2color("prepare", mixed, "--out", tmp_path / "o", "--licences", bad), 1)
        assert "columns named file and licence" in told


class TestNearDuplicates:
    @pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
    def test_copies_are_found_and_others_are_not(self, name):
        known = NearDuplicates()
        for other, pixels in colour_photos().items():
            known.add(perceptual_hash(Image.fromarray(pixels)), other)
        picture = Image.fromarray(colour_photos()[name])
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=30)
        width, height = picture.size
        for copy in (
            Image.open(buffer),
            picture.resize((width // 2, height // 2)),
            ImageEnhance.Contrast(picture).enhance(1.2),
            picture.crop((width // 100, height // 100, width * 99 // 100, height * 99 // 100)),
        ):
            assert known.find(perceptual_hash(copy)) == name
        assert known.find(perceptual_hash(picture.rotate(90))) is None
