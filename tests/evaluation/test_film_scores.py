import json
import math
import shutil

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import colour_photos, one_line
from made_film import made_film, write_film
from scipy.stats import entropy

from pix2color import metrics
from pix2color.color.lab import lab_to_rgb, rgb_to_gray
from pix2color.evaluation.film_scores import (
    PER_FRAME,
    STEADY,
    TRUTH,
    FilmEvaluation,
    FilmScores,
    evaluate_film,
    mean_over_films,
)
from pix2color.evaluation.protocol import GRAY
from pix2color.inference.colorizer import Colorizer
from pix2color.models.base import Generator
from pix2color.models.header import ModelInfo
from pix2color.models.torch_network import TorchNetwork

SIDE = 96
PHOTOS = [photo[100:400, 100:400] for photo in colour_photos().values() if len(photo) >= 400]


def still(count, place=0):
    return [PHOTOS[place][:SIDE, :SIDE]] * count


def moving(picture, count, step=2):
    """What a camera sees that moves to the right by so many pixels a frame."""
    return [picture[:SIDE, step * i : step * i + SIDE] for i in range(count)]


def scored(truths, **rows):
    scores = FilmScores()
    for number, truth in enumerate(truths):
        outputs = {name: frames[number] / np.float32(255) for name, frames in rows.items()}
        scores.add(truth, outputs)
    return scores.rows()


def gray(frames):
    return [np.repeat(rgb_to_gray(frame)[..., None], 3, axis=2) for frame in frames]


def flickering(frames, strength=12):
    """The same, redder and bluer by turns."""
    shift = np.array([strength, 0, -strength])
    return [
        (frame.astype(int) + shift * (-1) ** i).clip(0, 255).astype(np.uint8)
        for i, frame in enumerate(frames)
    ]


def test_a_still_film_changes_nothing():
    rows = scored(still(6), gray=gray(still(6)))
    for row in (GRAY, TRUTH):
        assert rows[row]["warping_error"] == rows[row]["cdc"] == 0
    assert rows[TRUTH]["colorfulness_ratio"] == 1
    assert math.isnan(rows[TRUTH]["psnr"])


def test_colours_that_move_with_their_things_are_still_and_others_are_not():
    frames = moving(PHOTOS[0], 5)
    # Colours that stay where they are on the screen, and get redder by a unit of a* a pixel: along
    # a motion of two pixels a* changes by two and b* by nothing.
    lab = np.zeros((1, 3, SIDE, SIDE), np.float32)
    lab[:, 0], lab[:, 1] = 60, np.linspace(-SIDE / 2, SIDE / 2, SIDE)
    ramp = (lab_to_rgb(lab)[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)
    rows = scored(frames, gray=gray(frames), stuck=[ramp] * 5)
    assert rows[GRAY]["warping_error"] < 0.01
    assert rows[TRUTH]["warping_error"] < 0.3
    assert rows["stuck"]["warping_error"] == pytest.approx(1, abs=0.1)


def test_flicker_is_seen_by_both_measures_of_stillness():
    frames = moving(PHOTOS[0], 8)
    rows = scored(frames, weak=flickering(frames, 4), strong=flickering(frames, 12))
    for measure in ("warping_error", "cdc"):
        assert rows[TRUTH][measure] < rows["weak"][measure] < rows["strong"][measure]
    assert rows["weak"]["delta_e"] < rows["strong"]["delta_e"]
    assert rows["weak"]["psnr"] > rows["strong"]["psnr"]


def test_colours_may_change_at_a_cut():
    rows = scored(still(4) + still(4, place=1))
    assert rows[TRUTH]["warping_error"] == 0
    assert rows[TRUTH]["cdc"] > 0.01


class TestCdc:
    def test_by_hand(self):
        """Red alternates between two levels: at lag 1 nothing of its histogram is common, ln 2, at
        lags 2 and 4 all; green and blue stay."""
        frames = [
            np.full((SIDE, SIDE, 3), (100 + 50 * (i % 2), 80, 60), np.uint8) for i in range(9)
        ]
        assert scored(frames)[TRUTH]["cdc"] == pytest.approx(math.log(2) / 9)

    def test_as_scipy_has_it(self):
        frames = np.random.default_rng(0).normal(120, 20, (6, SIDE, SIDE, 3)).astype(np.uint8)
        histograms = [
            [np.bincount(frame[..., channel].ravel(), minlength=256) for channel in range(3)]
            for frame in frames
        ]

        def divergence(p, q):
            p, q = p / p.sum(), q / q.sum()
            return (entropy(p, (p + q) / 2) + entropy(q, (p + q) / 2)) / 2

        means = [
            np.mean(
                [
                    divergence(*channels)
                    for pair in zip(histograms, histograms[lag:], strict=False)
                    for channels in zip(*pair, strict=True)
                ]
            )
            for lag in (1, 2, 4)
        ]
        assert scored(frames)[TRUTH]["cdc"] == pytest.approx(np.mean(means))

    def test_a_film_too_short_for_it_has_none(self):
        assert math.isnan(scored(still(4))[TRUTH]["cdc"])


def test_nearness_is_as_for_pictures():
    frames = still(1)
    row = scored(frames, gray=gray(frames))[GRAY]
    result, truth = (
        torch.from_numpy(f[0]).permute(2, 0, 1)[None] / 255 for f in (gray(frames), frames)
    )
    scores = metrics.picture_scores(result, truth)
    for name in ("psnr", "delta_e"):
        assert row[name] == pytest.approx(float(scores[name]), rel=1e-4)
    ratio = scores["colorfulness"] / scores["true_colorfulness"]
    assert row["colorfulness_ratio"] == pytest.approx(float(ratio), abs=1e-4)


class Nervous(Generator):
    """Says of the whole picture that it is green, then that it is red."""

    def forward(self, L):
        self.red = not getattr(self, "red", False)
        return torch.full((len(L), 2, *L.shape[2:]), 0.2 if self.red else -0.2)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two shots with a cut and flashes, of photographs in colour."""
    made = made_film(PHOTOS[:2], np.random.default_rng(3), (128, SIDE), fades=0, flashes=1)
    assert made.cuts
    assert made.flashes
    path = tmp_path_factory.mktemp("film") / "made.mkv"
    write_film(path, made.frames)
    return path, len(made.frames)


def test_films_are_coloured_and_measured_beside_the_gray_and_the_true_one(film):
    path, frames = film
    result = evaluate_film(path, Colorizer(TorchNetwork(Nervous()), ModelInfo("test")))
    rows = result.rows
    assert result.frames == frames
    assert list(rows) == [GRAY, PER_FRAME, STEADY, TRUTH]
    assert rows[GRAY]["warping_error"] < 0.01
    assert rows[GRAY]["colorfulness_ratio"] == pytest.approx(0, abs=1e-3)
    assert rows[STEADY]["warping_error"] < 0.4 * rows[PER_FRAME]["warping_error"]
    assert rows[STEADY]["cdc"] < rows[PER_FRAME]["cdc"]


def test_each_film_counts_the_same_in_the_mean():
    films = [
        FilmEvaluation(frames, {GRAY: {"psnr": psnr, "cdc": cdc}})
        for frames, psnr, cdc in ((10, 20.0, 0.1), (90, 30.0, math.nan))
    ]
    mean = mean_over_films(films)
    assert mean.frames == 100
    assert mean.rows[GRAY] == pytest.approx({"psnr": 25, "cdc": math.nan}, nan_ok=True)


class TestCommand:
    def test_table_and_json(self, film, tmp_path):
        path, _ = film
        options = ("--preview", 0.3, "--render-size", 64)
        table = invoke("evaluate-video", path, *options).stdout
        assert all(f"\n{row} " in table for row in (GRAY, PER_FRAME, STEADY, TRUTH))
        again = shutil.copy(path, tmp_path / "again.mkv")
        result = json.loads(invoke("evaluate-video", path, again, "--json", *options).stdout)
        figures = result["films"][str(path)]
        assert figures["frames"] == 8
        assert figures["rows"][TRUTH]["psnr"] is None
        assert result["mean"]["frames"] == 16
        assert result["mean"]["rows"][STEADY] == pytest.approx(figures["rows"][STEADY])

    def test_films_to_compare_with_are_there_and_in_colour(self, tmp_path):
        path = tmp_path / "gray.mkv"
        write_film(path, [rgb_to_gray(frame) for frame in still(3)], layout="gray")
        assert "gray.mkv" in one_line(invoke("evaluate-video", path), 1)
        assert "no.mkv" in one_line(invoke("evaluate-video", tmp_path / "no.mkv"), 2)
