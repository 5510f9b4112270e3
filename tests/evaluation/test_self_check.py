"""Our measures against scikit-image's, within the command's JSON."""

import json

import click
import pytest
import torch
from click.testing import CliRunner

from pix2color import metrics
from pix2color.cli.main import cli
from pix2color.evaluation.self_check import TOLERANCES, differences


@pytest.fixture
def pictures():
    """Colors and the same with noise: uint8 (2, 3, 3, 64, 64)."""
    random = torch.Generator().manual_seed(0)
    truths = torch.randint(0, 256, (3, 3, 8, 8), generator=random).float()
    truths = torch.nn.functional.interpolate(truths, (64, 64), mode="bicubic")
    noise = torch.randn(truths.shape, generator=random) * torch.tensor([0, 5, 40]).view(3, 1, 1, 1)
    return torch.stack([truths + noise, truths]).clamp(0, 255).byte()


def test_ours_are_scikit_images(pictures):
    found = differences(*pictures)  # the first is equal to its truth: an infinite PSNR
    assert found.keys() == TOLERANCES.keys()
    for name, difference in found.items():
        assert difference < TOLERANCES[name] / 5


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_measure_that_is_wrong_is_found(name, pictures, monkeypatch):
    right = metrics.picture_scores

    def wrong(*pair):
        found = right(*pair)
        return found | {name: found[name] * 1.01}

    monkeypatch.setattr(metrics, "picture_scores", wrong)
    found = differences(pictures[0, 1:], pictures[1, 1:])
    assert [n for n, most in TOLERANCES.items() if found[n] > most] == [name]


def evaluated(model, photos, *more):
    words = ["evaluate", "--model", model, "--data", photos / "coffee", *more]
    result = CliRunner().invoke(cli, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result


def test_the_json_says_that_they_agree(pretrained, photos):
    check = json.loads(evaluated(pretrained, photos, "--no-critic", "--json").stdout)["self_check"]
    assert check["passed"]
    assert check["pictures"] == 4
    assert check["largest_difference"].keys() == TOLERANCES.keys()


def test_the_json_and_a_warning_say_that_they_do_not(pretrained, photos, monkeypatch):
    monkeypatch.setattr("pix2color.metrics.psnr", lambda p, t: torch.full((len(p),), 60.0))
    result = evaluated(pretrained, photos, "--no-critic", "--json")
    assert not json.loads(result.stdout)["self_check"]["passed"]
    assert "psnr" in next(x for x in result.stderr.splitlines() if x.startswith("warning"))


def test_the_table_is_printed_before_the_critic_is_trained(pretrained, photos, monkeypatch):
    def verdicts(outputs, truths, label):
        click.echo(f"training {label}")
        return torch.ones(5)

    monkeypatch.setattr("pix2color.evaluation.protocol.verdicts", verdicts)
    lines = evaluated(pretrained, photos).stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("training"))
    assert lines[0].split() == ["measure", "better", "gray", "model"]
    assert any(line.startswith("PSNR") for line in lines[:first])
    assert lines[first - 1].startswith("6 photos")
    assert lines[first:-1] == ["training patch critic, gray", "training patch critic, model"]
    assert lines[-1].split()[-3:] == ["1.000", "[1.000,", "1.000]"]
    assert sum(line.startswith("patch critic") for line in lines) == 1
