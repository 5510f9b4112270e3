"""Comparisons as real processes, and their report in a real browser."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, one_line, opened, pix2color
from torch import nn

from pix2color.config.load import load_recipe
from pix2color.evaluation.scores import Score
from pix2color.evaluation.tables import MEASURES, known_measures
from pix2color.experiments.costs import averaged, gflops, relative_losses
from pix2color.experiments.results import clearly_best
from pix2color.models.base import Generator
from pix2color.models.model_file import model_hash

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("compare")

RECIPE = """\
task: {task}
precision: float32
log_every: 1
data: {{batch_size: 4, crop: 48, workers: 0}}
schedule: {{warmup_steps: 2}}
validation: {{size: 64, every_steps: 2}}
checkpoint: {{every_steps: 2}}
"""
SMALL = {
    "train-gan": "discriminator: {options: {width: 8}}\n",
    "pretrain": "model: {name: unet, options: {width: 4}}\n",
}
STEPS = 5


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    for name, task in (("tiny-gan", "train-gan"), ("tiny-l1", "pretrain")):
        (folder / f"{name}.yaml").write_text(RECIPE.format(task=task) + SMALL[task])
    return sorted(folder.glob("*.yaml"))


@pytest.fixture(scope="module")
def compare(photos, recipes, tmp_path_factory):
    """Runs the command into a folder, the same each time."""
    out = tmp_path_factory.mktemp("comparison")

    def run(*words, steps=STEPS):
        budget = ("--val-fraction", 0.4, "--steps-each", steps, "--samples", 2)
        result = pix2color("compare", *recipes, *words, "--data", photos, *budget, "--out", out)
        return out, result

    return run


@pytest.fixture(scope="module")
def compared(compare):
    out, result = compare()
    assert result.returncode == 0, result.stderr
    return out, result


def test_what_is_printed_is_in_the_files(compared):
    out, result = compared
    assert (out / "report" / "table.md").read_text() == result.stdout
    found = json.loads((out / "report" / "results.json").read_text())
    with (out / "report" / "table.csv").open() as file:
        lines = {line["system"]: line for line in csv.DictReader(file)}
    assert list(lines) == ["gray", "tiny-gan", "tiny-l1"]
    table = {
        line.split(" | ")[0].strip("| "): [cell.strip(" *|") for cell in line.split(" | ")[2:]]
        for line in result.stdout.splitlines()
    }
    for name, measure in known_measures(found["gray"]).items():
        scores = {"gray": found["gray"][name]}
        scores |= {system: s["scores"][name] for system, s in found["systems"].items()}
        for column, (system, (value, low, high)) in enumerate(scores.items()):
            line = lines[system]
            told = [
                float(t) if t else None for t in (line[name + e] for e in ("", "_low", "_high"))
            ]
            assert told == [value, low, high]
            shown = table[measure.heading.replace("|", r"\|").strip("|")]
            start = "–" if value is None else f"{value:.{measure.digits}f}"
            assert shown[column].startswith(start)


@pytest.mark.slow
def test_the_model_that_was_scored_is_the_run_s(compared, photos):
    out, _ = compared
    found = json.loads((out / "report" / "results.json").read_text())
    assert found["systems"]["tiny-gan"]["start"] == "tiny-l1"
    evaluations = {p.name.rpartition("-")[0]: p for p in (out / "evaluations").glob("*/*.json")}
    paths = [p["photo"] for p in json.loads(evaluations["tiny-l1"].read_text())["pictures"]]
    assert len(paths) == found["photos"] > 4
    held_out = out / "held-out"
    held_out.mkdir()
    for i, path in enumerate(paths):
        shutil.copy(path, held_out / f"{i}.png")
    model = out / "runs" / "tiny-gan"
    alone = pix2color("evaluate", "--model", model, "--data", held_out, "--json")
    theirs = json.loads(alone.stdout)["rows"]["model"]
    ours = found["systems"]["tiny-gan"]["scores"]
    for name in ("psnr", "delta_e", "ab_js", "auc"):
        assert ours[name][0] == pytest.approx(theirs[name][0], rel=1e-4)


def test_costs_are_of_that_training(compared):
    out, _ = compared
    systems = json.loads((out / "report" / "results.json").read_text())["systems"]
    for name, system in systems.items():
        costs = system["costs"]
        assert costs["steps"] == STEPS
        lines = (out / "runs" / name / "metrics.jsonl").read_text().splitlines()
        rates = [json.loads(line).get("speed/pictures_per_second") for line in lines]
        seconds = [4 / rate for rate in rates if rate]  # a point a step
        assert len(seconds) == STEPS
        assert costs["minutes"] == pytest.approx(sum(seconds) / 60)
        assert costs["pictures_per_second"] == pytest.approx(4 * STEPS / sum(seconds))


def test_losses_of_different_kinds_are_drawn_as_shares_of_their_start():
    curves = {
        "generator/l1": [(1.0, 4.0), (2.0, 2.0)],
        "generator/mse": [(1.0, 1.0), (2.0, 0.1)],
        "generator/adversarial": [(1.0, -1.0), (2.0, 1.0)],
        "val/psnr": [(2.0, 20.0)],
    }
    assert relative_losses(curves) == [(1.0, 1.0), (2.0, pytest.approx(0.3))]
    assert relative_losses({"val/psnr": [(2.0, 20.0)]}) == []


def test_what_is_done_is_not_done_again_and_what_was_begun_goes_on(compared, compare):
    out, first = compared
    model = out / "runs" / "tiny-gan" / "model.safetensors"
    before = model.read_bytes()
    _, again = compare()
    assert again.stdout == first.stdout
    assert again.stderr.count("is trained already") == 2
    assert again.stderr.count("is evaluated already") == 2
    metrics = out / "runs" / "tiny-gan" / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:-1]))  # without the line that says finished
    shutil.rmtree(out / "runs" / "tiny-gan" / "checkpoints" / f"step-{STEPS:08d}")
    model.unlink()
    _, resumed = compare()
    assert resumed.stderr.count("is trained already") == 1
    assert "from step 4" in resumed.stderr
    assert model.read_bytes() == before


def test_what_other_programs_made_are_systems_too(compared, compare, photos, tmp_path):
    out, _ = compared
    they = tmp_path / "they"
    shutil.copytree(photos, they)
    (known,) = (out / "evaluations").glob("*/tiny-l1-*.json")
    first, *others = json.loads(known.read_text())["pictures"]
    (they / Path(first["photo"]).relative_to(photos)).unlink()
    _, result = compare("--predictions", they)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0].split() == [
        *("|", "measure", "|", "better", "|", "gray", "|", "tiny-gan", "|", "tiny-l1", "|", "they"),
        "|",
    ]
    found = json.loads((out / "report" / "results.json").read_text())["systems"]["they"]
    assert found["costs"] is None
    assert found["missing"] == [first["photo"]]
    assert found["photos"] == len(others)
    assert found["scores"]["delta_e"][0] == pytest.approx(0, abs=0.01)
    nearest = result.stdout.splitlines()[5].split("|")[-2]
    assert "**" not in nearest  # it takes no part, having not all
    _, again = compare("--predictions", they)
    assert "they: is evaluated already" in again.stderr
    clash = compare("--predictions", f"tiny-l1={they}")[1]
    assert "tiny-l1" in one_line(clash, 2)


def test_one_that_fails_is_told_and_the_rest_goes_on(compared, compare, tmp_path):
    out, _ = compared
    broken, after = tmp_path / "broken-l1.yaml", tmp_path / "broken-gan.yaml"
    broken.write_text(RECIPE.format(task="pretrain") + "model: {encoder_weights: gone.pth}\n")
    after.write_text(RECIPE.format(task="train-gan"))
    _, result = compare(after, broken)
    assert result.returncode == 1
    assert "tiny-gan" in result.stdout.splitlines()[0]
    assert "broken-l1 failed: " in result.stdout
    failed = json.loads((out / "report" / "results.json").read_text())["failed"]
    assert "gone.pth" in failed["broken-l1"]
    assert "first stage, broken-l1" in failed["broken-gan"]
    assert "broken-l1 failed: " in (out / "report" / "index.html").read_text()


def test_a_run_of_another_budget_is_not_taken_for_one_of_this(compared, compare):
    out, result = compare(steps=STEPS + 1)
    assert result.returncode == 2
    assert "another budget" in result.stderr
    assert str(out / "runs") in result.stderr


@pytest.mark.slow
def test_a_second_stage_belongs_to_its_first(recipes, photos, tmp_path):
    def compare(seed):
        l1 = recipes[1].read_text() + f"seed: {seed}\n"
        (tmp_path / "tiny-l1.yaml").write_text(l1)
        words = ("--data", photos, "--val-fraction", 0.4, "--steps-each", 2, "--samples", 1)
        own = (recipes[0], tmp_path / "tiny-l1.yaml")
        return pix2color("compare", *own, *words, "--out", tmp_path)

    assert compare(seed=0).returncode == 0
    shutil.move(tmp_path / "runs" / "tiny-l1", tmp_path / "away")
    again = compare(seed=1)
    assert again.returncode == 1
    assert "tiny-gan: was trained from another model" in again.stderr


def test_each_ablation_changes_one_thing():
    recipes = {
        path.stem: load_recipe(None, path).model_dump()
        for path in (ROOT / "configs" / "ablations").glob("*.yaml")
    }
    plain = recipes["defaults"]
    for name, recipe in recipes.items():
        changed = {key for key in recipe.keys() & plain.keys() if recipe[key] != plain[key]}
        if name == "no-adversary":  # alone, L1 needs no λ, and what is best no band
            changed -= {"task", "reconstruction", "selection"}
        assert len(changed) == (name not in ("defaults", "no-adversary")), (name, changed)


@pytest.mark.slow
def test_a_first_stage_can_go_on_from_another_model(pretrained, photos, tmp_path):
    path = tmp_path / "more.yaml"
    path.write_text(RECIPE.format(task="pretrain") + "from_scratch: false\n")
    words = (path, "--data", photos, "--val-fraction", 0.4, "--steps-each", 1, "--samples", 1)
    told = one_line(pix2color("compare", *words, "--out", tmp_path), 2)
    assert "--init" in told
    result = pix2color("compare", *words, "--init", pretrained, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    run = load_recipe(None, tmp_path / "runs" / "more" / "config.yaml")
    assert run.init_hash == model_hash(pretrained)


@pytest.mark.slow
def test_a_critic_s_warm_up_leaves_room_in_few_epochs(recipes, photos, tmp_path):
    words = ("--data", photos, "--val-fraction", 0.4, "--epochs-each", 2, "--samples", 1)
    result = pix2color("compare", *recipes, *words, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "critic_warmup_steps" in result.stderr


def test_what_is_wrong_is_told_before_anything_is_trained(recipes, photos, tmp_path):
    gan, l1 = recipes
    data = ("--data", photos, "--out", tmp_path / "out")
    told = one_line(pix2color("compare", gan, *data, "--epochs-each", 1), 2)
    assert "tiny-pretrain or tiny-l1" in told
    told = one_line(pix2color("compare", l1, l1, *data, "--epochs-each", 1), 2)
    assert "rename" in told
    assert "--steps-each" in one_line(pix2color("compare", l1, *data), 2)
    both = ("--steps-each", 1, "--minutes-each", 1)
    assert "one of" in one_line(pix2color("compare", l1, *data, *both), 2)
    told = one_line(pix2color("compare", l1, *data, "--steps-each", 3, "--val-fraction", 0), 2)
    assert "--val" in told
    gray = tmp_path / "gray.yaml"
    gray.write_text(l1.read_text())
    assert "rename" in one_line(pix2color("compare", gray, *data, "--steps-each", 1), 2)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_the_whole_and_saves(recipes, photos, tmp_path):
    words = ["compare", *recipes, "--data", photos, "--steps-each", 100_000, "--out", tmp_path]
    command = [sys.executable, "-m", "pix2color", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "runs" / "tiny-l1" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") > 3):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "stopped, all is saved; the same command goes on"
    assert list((tmp_path / "runs" / "tiny-l1" / "checkpoints").iterdir())
    assert not (tmp_path / "runs" / "tiny-gan").exists()


def test_the_report_on_a_phone(compared, browser):
    out, _ = compared
    page = out / "report" / "index.html"
    assert "http:" not in page.read_text()  # base64 has no colon
    assert "https:" not in page.read_text()
    with opened(browser, page) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        pairs = "[...document.querySelectorAll('.row .pair')]"
        places = f"{pairs}.map(pair => pair.style.getPropertyValue('--at'))"
        assert set(tab.evaluate(places)) == {"0%"}
        slider = tab.locator(".row .pair input").first
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        first, *others = tab.evaluate(places)
        assert 40 <= float(first.rstrip("%")) <= 60
        assert set(others) == {"0%"}
        tab.locator("#all").fill("100")
        assert set(tab.evaluate(places)) == {"100%"}
        assert tab.evaluate("document.querySelector('.pair img.after').naturalWidth") == 256
        source = "n => document.querySelector('.row ' + n).src"
        assert tab.evaluate(source, ".before") == tab.evaluate(source, "img.gray")
        tab.check("[value=truth]")
        assert tab.evaluate(source, ".before") == tab.evaluate(source, "img.truth")
        for chart in tab.locator("svg.chart").all():
            assert "NaN" not in chart.inner_html()
        assert tab.locator("tbody tr").first.inner_text().startswith("gray")


def test_best_is_who_is_apart_from_all_others():
    def scores(**ends):
        return {name: Score((low + high) / 2, low, high) for name, (low, high) in ends.items()}

    more, less, one = (MEASURES[name] for name in ("psnr", "delta_e", "colorfulness_ratio"))
    assert clearly_best(scores(a=(20, 21), b=(22, 23), c=(21, 21.5)), more) == "b"
    assert clearly_best(scores(a=(20, 22.1), b=(22, 23)), more) is None
    assert clearly_best(scores(a=(9, 10), b=(11, 12)), less) == "a"
    assert clearly_best(scores(a=(9, 10), b=(10.001, 12)), less) is None  # 10.00 and 10.00
    assert clearly_best(scores(a=(9, 9.996), b=(10.004, 12)), less) is None
    assert clearly_best(scores(a=(0.8, 0.85), b=(1.02, 1.1), c=(1.3, 1.5)), one) == "b"
    assert clearly_best(scores(a=(0.88, 0.95), b=(1.02, 1.1)), one) is None  # as far, other side
    assert clearly_best({"a": Score(0.1), "b": Score(0.9)}, MEASURES["ab_js"]) is None


class Convolution(Generator):
    """9 multiplications and additions for each of two channels of a pixel."""

    def __init__(self):
        super().__init__()
        self.only = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, L):
        return self.only(L)


def test_operations_are_counted():
    assert gflops(Convolution(), 64) == pytest.approx(2 * 9 * 2 * 64 * 64 / 1e9)


def test_a_thinned_curve_keeps_its_mean_and_end():
    curve = [(float(x), float(x % 7)) for x in range(210)]
    thin = averaged(curve, 30)
    assert len(thin) == 30
    assert thin[-1][0] == 209
    assert np.mean([y for _, y in thin]) == pytest.approx(np.mean([y for _, y in curve]))
    assert averaged(curve[:5]) == curve[:5]
