"""Folds, and a recipe that is trained once for each."""

import csv
import json
import shutil
import statistics

import pytest
import yaml
from conftest import one_line, pix2color, settings

from pix2color.data.sources import collect
from pix2color.errors import UsageError
from pix2color.experiments.cross_validation import folds_of

QUICK = settings("data.crop=48", "data.batch_size=4", "data.workers=0", "precision=float32")


@pytest.fixture
def copied(photos, tmp_path):
    return shutil.copytree(photos, tmp_path / "photos")


def test_every_folder_is_spread_over_all_folds(photos):
    everything = collect([photos])
    parts = folds_of(everything, 3)
    assert sorted(p.path for part in parts for p in part) == [p.path for p in everything]
    for part in parts:
        assert len(part) == 8
        for folder in ("astronaut", "chelsea", "coffee", "rocket"):
            assert sum(photo.path.parent.name == folder for photo in part) == 2


def test_names_do_not_matter_and_copies_stay_together(copied):
    def folds():
        parts = folds_of(collect([copied]), 4)
        return {photo.share: i for i, part in enumerate(parts) for photo in part}

    before = folds()
    for i, path in enumerate(sorted(copied.glob("*/*.png"))):
        path.rename(path.with_name(f"{99 - i}.png"))
    assert folds() == before
    some = next(copied.glob("*/*.png"))
    shutil.copy(some, some.with_name("copy.png"))
    parts = folds_of(collect([copied]), 4)
    assert [{some.name, "copy.png"} <= {p.path.name for p in part} for part in parts].count(
        True
    ) == 1


def test_more_folds_than_photos_are_refused(photos):
    with pytest.raises(UsageError, match="too many"):
        folds_of(collect([photos]), 25)


def test_the_command(photos, tmp_path):
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe.write_text("task: pretrain\nvalidation: {size: 64}\n")
    command = ("cross-validate", "--config", recipe, "--data", photos, "--folds", 2)
    command += ("--max-steps", 2, *QUICK, "--out", out)
    result = pix2color(*command)
    assert result.returncode == 0, result.stderr
    assert (out / "report" / "table.md").read_text() == result.stdout
    found = json.loads((out / "report" / "results.json").read_text())
    with (out / "report" / "table.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["system"] == "model"]
    psnr = [float(line["psnr"]) for line in lines]
    assert psnr == [fold["model"]["psnr"] for fold in found["folds"]]
    assert found["model"]["mean"]["psnr"] == pytest.approx(statistics.mean(psnr))
    assert found["model"]["sd"]["psnr"] == pytest.approx(statistics.stdev(psnr))
    assert f"{statistics.mean(psnr):.2f} ± {statistics.stdev(psnr):.2f}" in result.stdout
    seen = []
    for fold in (1, 2):
        data = yaml.safe_load((out / "runs" / f"fold-{fold}" / "config.yaml").read_text())["data"]
        train, val = (
            {photo.path for photo in collect([*map(type(out), data[key])])}
            for key in ("train", "val")
        )
        assert not train & val
        assert len(train | val) == 24
        seen += val
    assert len(set(seen)) == 24
    again = pix2color(*command)
    assert again.stdout == result.stdout
    assert again.stderr.count("is trained already") == 2


def test_prepared_photos_are_refused(photos, tmp_path):
    made = pix2color("prepare", photos, "--out", tmp_path / "prepared", "--min-side", 32)
    assert made.returncode == 0, made.stderr
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("task: pretrain\n")
    command = ("cross-validate", "--config", recipe, "--data", tmp_path / "prepared")
    assert "prepared" in one_line(pix2color(*command, "--out", tmp_path / "out"), 2)
