import csv
import json
import os
import shutil

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import one_line, pix2color
from PIL import Image
from skimage import data

from pix2color import metrics
from pix2color.color.lab import rgb_to_lab
from pix2color.data.sources import collect, protocol_square
from pix2color.evaluation import tables
from pix2color.evaluation.patch_critic import verdicts
from pix2color.evaluation.protocol import GRAY, MODEL, evaluate
from pix2color.inference.colorizer import Colorizer
from pix2color.models.base import Generator
from pix2color.models.header import ModelInfo
from pix2color.models.torch_network import TorchNetwork


class Gray(Generator):
    """Predicts no colour at all."""

    def forward(self, L):
        return torch.zeros(len(L), 2, *L.shape[2:])


def colorizer(network) -> Colorizer:
    return Colorizer(TorchNetwork(network), ModelInfo("test"))


@pytest.fixture(scope="module")
def of_gray(photos):
    return evaluate(colorizer(Gray()), [photos], critic=False)


def test_a_gray_model_scores_as_the_gray_row(of_gray):
    assert of_gray.photos == 24
    for name, score in of_gray.rows[MODEL].items():
        assert np.allclose(
            np.array(score, float), np.array(of_gray.rows[GRAY][name], float), equal_nan=True
        ), name
    gray = of_gray.rows[GRAY]
    assert gray["colorfulness_ratio"].value == pytest.approx(0, abs=1e-3)
    assert gray["washout"].value == 1
    assert gray["delta_l"].value < 0.01


def test_intervals_hold_the_value(of_gray):
    for name in ("psnr", "ssim", "delta_e", "delta_colorfulness", "ab_js", "auc_rebalanced"):
        score = of_gray.rows[GRAY][name]
        assert score.low < score.value < score.high
    mean = np.mean([p["psnr"] for p in of_gray.pictures])
    assert of_gray.rows[MODEL]["psnr"].value == pytest.approx(mean)


def test_the_interval_of_pooled_measures_is_of_the_pictures(photos, of_gray):
    """AuC of all pixels is the mean of the pictures', whose standard error is known."""
    ours = []
    for photo in collect([photos]):
        lab = rgb_to_lab(torch.from_numpy(protocol_square(photo))[None] / 255)
        scores = metrics.PooledScores()
        scores.add(lab * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), lab)
        ours.append(scores.auc())
    score = of_gray.rows[GRAY]["auc"]
    assert score.value == pytest.approx(np.mean(ours), abs=1e-3)
    error = np.std(ours, ddof=1) / len(ours) ** 0.5
    assert (score.high - score.low) / 4 == pytest.approx(error, rel=0.02)


def test_luma_input_moves_the_luminance_of_the_result(photos, of_gray):
    luma = evaluate(colorizer(Gray()), [photos], model_input="luma", critic=False)
    assert luma.rows[GRAY]["psnr"].value != pytest.approx(
        of_gray.rows[GRAY]["psnr"].value, abs=0.01
    )
    assert luma.rows[GRAY]["delta_l"].value < 0.01  # measured against what was given


class Brightness(Generator):
    """Warm where it is bright, cool where it is dark: any change of what it sees is a change."""

    def forward(self, L):
        return L.expand(-1, 2, -1, -1) * 0.3


@pytest.mark.slow
def test_what_a_model_sees_on_film_moves_its_colours_alone(photos, of_gray):
    own = evaluate(colorizer(Brightness()), [photos], critic=False)
    worn = evaluate(colorizer(Brightness()), [photos], model_input="film", critic=False)
    fade = evaluate(colorizer(Brightness()), [photos], model_input="fade", critic=False)
    errors = [e.rows[MODEL]["delta_e"].value for e in (own, fade, worn)]
    assert len({round(e, 2) for e in errors}) == 3
    assert worn.rows[GRAY] == own.rows[GRAY]  # on the picture's own luminance
    assert worn.rows[MODEL]["delta_l"].value < 0.3
    again = evaluate(colorizer(Brightness()), [photos], model_input="film", critic=False)
    assert again.rows == worn.rows


def test_gray_and_broken_photos_are_left_out(photos, tmp_path):
    Image.fromarray(data.camera()).save(tmp_path / "gray.png")
    (tmp_path / "broken.jpg").write_bytes(b"no")
    result = evaluate(colorizer(Gray()), [photos, tmp_path], critic=False)
    assert (result.photos, result.left_out) == (24, 2)


def test_each_folder_has_its_own_figures(photos, of_gray):
    alone = evaluate(colorizer(Gray()), [photos / "coffee"], critic=False)
    coffee = of_gray.folders["coffee"]
    assert coffee.photos == alone.photos == 6
    for name, score in coffee.rows[MODEL].items():
        assert score == pytest.approx(alone.rows[MODEL][name]), name
    assert sum(folder.photos for folder in of_gray.folders.values()) == 24


def test_the_critic_tells_gray_from_colour_but_not_a_picture_from_itself():
    generator = torch.Generator().manual_seed(0)
    crops = [
        torch.from_numpy(pixels[y : y + 48, x : x + 48].transpose(2, 0, 1).copy())
        for pixels in (data.astronaut(), data.chelsea(), data.coffee())
        for y in (0, 70, 140, 210)
        for x in (0, 70, 140, 210)
    ]
    truths = torch.stack(crops)[torch.randperm(len(crops), generator=generator)]
    gray = truths.float().mean(1, keepdim=True).round().byte().expand_as(truths)
    assert verdicts(gray, truths).mean() > 0.9
    assert verdicts(truths, truths).mean() == pytest.approx(0.5, abs=0.01)
    assert len(verdicts(truths[:10], truths[:10])) == 0


def test_the_command_prints_and_writes_everything(photos, pretrained, tmp_path):
    sheet, table = tmp_path / "sheet.png", tmp_path / "pictures.csv"
    result = pix2color(
        *("evaluate", "--model", pretrained, "--data", photos, "--no-critic"),
        *("--sheet", sheet, "--csv", table, "--samples", 4, "--by-folder"),
    )
    assert result.returncode == 0, result.stderr
    (coffee,) = (x for x in result.stdout.splitlines() if x.startswith("coffee"))
    assert coffee.split()[1] == "6"
    heading = result.stdout.splitlines()[0]
    assert heading.split() == ["measure", "better", "gray", "model"]
    assert "24 photos, 0 left out" in result.stdout
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert float(rows[0]["psnr"]) > 5
    picture = Image.open(sheet)
    assert picture.size == (2 * (3 * 262 + 18) - 12, 34 + 2 * 262 + 6)
    gray = np.asarray(picture)[34:290, 6:262].astype(int)
    truth = np.asarray(picture)[34:290, 530:786].astype(int)
    assert np.ptp(gray, axis=2).max() <= 2
    assert np.ptp(truth, axis=2).mean() > 10


def test_names_need_not_be_in_utf8(photos, tmp_path):
    name = bytes(tmp_path) + b"/caf\xe9"
    shutil.copytree(photos / "coffee", os.fsdecode(name))
    words = ("--data", os.fsdecode(name), "--no-critic", "--csv", tmp_path / "a.csv")
    assert invoke("evaluate", *words).returncode == 0
    assert (tmp_path / "a.csv").read_bytes().count(name + b"/") == 6


def test_json_has_null_for_what_could_not_be_had(photos, pretrained):
    result = pix2color(
        *("evaluate", "--model", pretrained, "--data", photos / "coffee", "--no-critic", "--json")
    )
    figures = json.loads(result.stdout)
    assert figures["photos"] == 6
    assert figures["rows"]["model"]["critic"] == [None, None, None]
    assert figures["rows"]["gray"]["psnr"][0] > 5
    assert figures["folders"]["coffee"]["rows"]["gray"]["psnr"] == figures["rows"]["gray"]["psnr"]


def test_table_names_every_measure(of_gray):
    text = tables.table(of_gray)
    assert len(text.splitlines()) == len(of_gray.rows[GRAY]) + 4


def test_wrong_data_is_one_line(pretrained, tmp_path):
    told = one_line(pix2color("evaluate", "--model", pretrained, "--data", "nowhere"), 2)
    assert "nowhere" in told
    Image.fromarray(data.camera()).save(tmp_path / "gray.png")
    told = one_line(pix2color("evaluate", "--model", pretrained, "--data", tmp_path), 1)
    assert "colour photos" in told
