"""Models outside torch, and what is known of a model file."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import colour_photos, one_line, pix2color
from PIL import Image
from skimage import data

from pix2color import Colorizer
from pix2color.errors import MissingPathError, ModelError
from pix2color.files import coloring_model, starting_model
from pix2color.models.model_file import load_model
from pix2color.models.onnx_file import DIGEST, NO_DIGEST

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("export")


@pytest.fixture(scope="module")
def exported(pretrained, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "mine.onnx"
    result = pix2color("export", "--format", "onnx", "--model", pretrained, "--out", path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(path)
    return path


@pytest.mark.parametrize("size", [(1, 96, 128), (3, 64, 64), (2, 77, 131), (1, 5, 33)])
def test_onnxruntime_computes_what_torch_does(exported, pretrained, size):
    generator, _ = load_model(pretrained)
    count, height, width = size
    L = torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    padded = torch.nn.functional.pad(L, (0, -width % 32, 0, -height % 32), mode="replicate")
    with torch.no_grad():
        truth = generator(padded)[:, :, :height, :width].numpy()
    session = onnxruntime.InferenceSession(exported)
    (ab,) = session.run(None, {"L": L.numpy()})
    assert ab.shape == (count, 2, height, width)
    np.testing.assert_allclose(ab, truth, atol=2e-3 * np.abs(truth).max())
    assert np.abs(truth).max() > 1e-3


def test_colorize_with_onnxruntime(exported, pretrained, write_photo, tmp_path):
    path = write_photo("camera.png", Image.fromarray(data.camera()))
    out = tmp_path / "out"
    result = pix2color("colorize", path, "--model", exported, "--out", out)
    assert result.returncode == 0, result.stderr
    ours = np.asarray(Colorizer.load(pretrained).colorize(path)).astype(int)
    assert np.abs(np.asarray(Image.open(out / "camera.png")) - ours).mean() < 1


def test_damaged_and_foreign_files_are_refused(exported, pretrained, tmp_path):
    path = tmp_path / "m.onnx"
    whole = exported.read_bytes()
    model = onnx.load(exported)
    tensor = model.graph.initializer[0]
    tensor.raw_data = bytes(len(tensor.raw_data))
    foreign = onnx.load(exported)
    del foreign.metadata_props[:]
    for content, told in (
        (b"hello", "is not an ONNX file"),
        (whole[: len(whole) // 2], "is not an ONNX file"),
        (model.SerializeToString(), "damaged"),
        (foreign.SerializeToString(), "without pix2color"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=told):
            Colorizer.load(path)


@pytest.mark.parametrize("place", ["other.safetensors", "../other.bin", "/etc/hostname"])
def test_weights_outside_of_the_digest_are_refused(exported, tmp_path, place):
    """Each file's digest is right: only the file that it refers to is not covered."""
    (tmp_path / "m").mkdir()
    path = tmp_path / "m" / "m.onnx"
    model = onnx.load(exported)
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    for file in (path.with_name("other.safetensors"), tmp_path / "other.bin"):
        file.write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    (entry,) = (entry for entry in model.metadata_props if entry.key == DIGEST)
    entry.value = NO_DIGEST
    content = model.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    path.write_bytes(content.replace(NO_DIGEST.encode(), digest.encode()))
    with pytest.raises(ModelError, match="weights"):
        Colorizer.load(path)


def test_info_tells_where_a_model_comes_from(exported, pretrained):
    for model in (pretrained, pretrained / "model.safetensors", exported):
        about = json.loads(pix2color("info", model, "--json").stdout)
        assert about["architecture"] == "unet"
        assert about["recipe"]["task"] == "pretrain"
        assert (about["step"], about["render_size"]) == (6, 48)
        assert len(about["sha256"]) == 64
    text = pix2color("info", pretrained).stdout
    assert "0.1 million" in text
    assert "pretrain, 6 steps" in text


def test_a_model_in_half_precision_colours_alike_and_carries_its_card(
    pretrained, write_photo, tmp_path
):
    card = tmp_path / "card.md"
    card.write_text("# Mine\n\nFor family photos – not for evidence.\n", encoding="utf-8")
    out = tmp_path / "half.safetensors"
    export = ("export", "--format", "safetensors", "--model", pretrained, "--out", out)
    result = pix2color(*export, "--card", card)
    assert result.returncode == 0, result.stderr
    whole = pretrained / "model.safetensors"
    assert out.stat().st_size < 0.52 * whole.stat().st_size
    path = write_photo("camera.png", Image.fromarray(data.camera()))
    half, full = (np.asarray(Colorizer.load(m).colorize(path)).astype(int) for m in (out, whole))
    away = np.abs(half - full)
    assert away.mean() < 0.5
    assert (away > 2).mean() < 0.01
    assert "not for evidence" in pix2color("info", out).stdout
    about, before = (json.loads(pix2color("info", m, "--json").stdout) for m in (out, whole))
    assert about["recipe"]["reconstruction"] == before["recipe"]["reconstruction"]
    (photos,) = before["recipe"]["data"]["train"]
    assert about["recipe"]["data"]["train"] == [Path(photos).name]
    assert str(pretrained.parent) in str(before)
    assert str(pretrained.parent) not in out.read_bytes()[:20_000].decode("latin-1")
    again = tmp_path / "again.safetensors"
    assert pix2color(*export[:4], out, "--out", again).returncode == 0
    assert again.read_bytes() == out.read_bytes()


def test_a_folder_to_share_colours_by_itself(pretrained, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("# Mine\n", encoding="utf-8")
    folder = tmp_path / "mine"
    export = ("export", "--format", "folder", "--model", pretrained, "--out", folder)
    result = pix2color(*export, "--card", card)
    assert result.returncode == 0, result.stderr
    assert (folder / "README.md").read_text("utf-8") == "# Mine\n"
    header = json.loads((folder / "config.json").read_text("utf-8"))
    assert header["architecture"] == "unet"
    photo = data.camera()
    shared, whole = (
        np.asarray(colorizer.colorize(photo)).astype(int)
        for colorizer in (Colorizer.from_pretrained(folder), Colorizer.load(pretrained))
    )
    assert np.abs(shared - whole).mean() < 0.5
    assert Colorizer.load(folder).info == Colorizer.from_pretrained(str(folder)).info
    load_model(folder)  # to be trained on
    assert "exists" in one_line(pix2color(*export), 2)
    with pytest.raises(MissingPathError, match="no such folder"):
        Colorizer.from_pretrained(tmp_path / "none")


def test_both_backends_give_the_same_pictures():
    torch_, onnx_ = (
        Colorizer.load(model("default"), "cpu") for model in (starting_model, coloring_model)
    )
    assert torch_.info == onnx_.info
    photos = [data.camera(), *(Image.fromarray(p).convert("L") for p in colour_photos().values())]
    for photo in photos:
        one, other = (np.asarray(c.colorize(photo)).astype(int) for c in (torch_, onnx_))
        assert (np.abs(one - other) <= 1).mean() >= 0.999
    doubts = [c.doubt(photos[0]) for c in (torch_, onnx_)]
    np.testing.assert_allclose(*doubts, atol=0.1)


def test_a_provider_that_fails_gives_way_to_the_cpu(monkeypatch, capfd):
    """On a machine without it, onnxruntime is made to promise a device that it does not have."""
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    picture = Colorizer.load(device="cuda").colorize(data.camera())
    assert np.ptp(np.asarray(picture).astype(int), axis=2).mean() > 3
    told = capfd.readouterr().err
    assert "CUDAExecutionProvider" in told
    assert "CPU" in told


def test_wrong_wishes(pretrained, tmp_path):
    export = ("export", "--format", "onnx", "--model", pretrained)
    assert ".onnx" in one_line(pix2color(*export, "--out", tmp_path / "a.bin"), 2)
    assert "no such folder" in one_line(pix2color(*export, "--out", tmp_path / "n" / "a.onnx"), 2)
    half = ("export", "--format", "safetensors", "--model", pretrained)
    out = tmp_path / "a.safetensors"
    assert ".safetensors" in one_line(pix2color(*half, "--out", tmp_path / "a.onnx"), 2)
    assert "card.md" in one_line(pix2color(*half, "--card", "card.md", "--out", out), 2)
    assert "card.md" in one_line(pix2color(*export, "--card", "card.md", "--out", "a.onnx"), 2)
    assert not out.exists()
    (tmp_path / "page.safetensors").write_text("<html>")
    assert "web page" in one_line(pix2color("info", tmp_path / "page.safetensors"), 1)
    assert "no such model" in one_line(pix2color("info", tmp_path / "none"), 2)
