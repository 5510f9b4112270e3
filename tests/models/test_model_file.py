import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from pix2color.errors import MissingPathError, ModelError
from pix2color.models.header import ModelInfo
from pix2color.models.model_file import load_model, save_model
from pix2color.models.registry import build_generator


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<!DOCTYPE html><html>Not found</html>", "web page"),
        (b"", "not a model file"),
        (b"\x00" * 200, "not a model file"),
    ],
)
def test_other_files_are_told_apart(tmp_path, content, told):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=told) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_code_in_a_pickle_is_never_run(tmp_path, how):
    path, proof = tmp_path / "model.pth", tmp_path / "proof"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(proof)))
    else:
        torch.save({"weights": Bomb(proof)}, path)
    with pytest.raises(ModelError, match="is a pickle"):
        load_model(path)
    assert not proof.exists()


def test_whoever_may_read_other_files_here_may_read_a_model(tmp_path):
    path, plain = tmp_path / "model.safetensors", tmp_path / "plain"
    save_model(path, build_generator("cnn"), ModelInfo("cnn"))
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_truncated_model_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, build_generator("unet-resnet18"), ModelInfo("unet-resnet18"))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize(
    "header",
    [
        None,
        {"architecture": "unknown"},
        {"architecture": "unet-resnet18", "options": {"depth": 4}},
        {"architecture": "unet-resnet18", "nonsense": 1},
        {"architecture": "unet-resnet18"},  # the tensors are another network's
    ],
)
def test_foreign_or_inconsistent_tensors_are_refused(tmp_path, header):
    path = tmp_path / "m.safetensors"
    metadata = None if header is None else {"pix2color": json.dumps(header)}
    save_file({"a": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(ModelError, match=r"m\.safetensors") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_loading_never_fetches_encoder_weights(tmp_path, monkeypatch):
    """A model that was trained from ImageNet weights loads where there is no network."""
    path = tmp_path / "m.safetensors"
    recipe = {"model": {"encoder_weights": "imagenet"}}
    info = ModelInfo("unet-resnet18", recipe=recipe)
    save_model(path, build_generator("unet-resnet18"), info)
    monkeypatch.setattr("torch.hub.download_url_to_file", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    assert load_model(path)[1].recipe == recipe


def test_missing_files_and_unfinished_runs_are_named(tmp_path):
    with pytest.raises(MissingPathError, match="no such model"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(MissingPathError, match="first checkpoint"):
        load_model(tmp_path)
