import json
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import invoke
from safetensors import safe_open
from safetensors.torch import load_file, save_file

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


@pytest.mark.parametrize("name", ["unet-resnet18", "unet-timm"])
@pytest.mark.parametrize("weights", ["imagenet", "/etc/hostname"])
def test_a_file_cannot_say_where_first_weights_are_to_be_taken_from(
    tmp_path, monkeypatch, name, weights
):
    """Downloads and other people's files are none of its business: it has all tensors."""
    path = tmp_path / "m.safetensors"
    save_model(path, build_generator(name), ModelInfo(name, {"encoder_weights": weights}))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    assert load_model(path)[1].options == {}
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("unet", {"width": 1_000_000}),
        ("unet", {"width": 10**30}),
        ("unet", {"width": "64"}),
        ("unet", {"activation": []}),
        ("pix2pix-unet256", {"downs": 10**9}),
        ("unet-resnet18", {"widths": [10**6] * 4}),
        ("unet-timm", {"encoder": 5}),
    ],
)
def test_no_memory_is_taken_for_what_a_header_alone_asks_for(tmp_path, architecture, options):
    path = tmp_path / "m.safetensors"
    header = {"architecture": architecture, "options": options}
    save_file({"a": torch.zeros(2)}, path, metadata={"pix2color": json.dumps(header)})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="do not fit"):
        load_model(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("render_size", -5),
        ("render_size", 0),
        ("render_size", float("nan")),
        ("render_size", 10**30),
        ("render_size", True),
        ("options", []),
        ("recipe", None),
        ("data", "photos"),
        ("scores", {"delta_e": "low"}),
        ("step", -1),
        ("card", 5),
        ("architecture", ["cnn"]),
        ("gives_doubt", True),
    ],
)
def test_a_mistyped_header_is_refused_in_one_line(tmp_path, field, value):
    path = tmp_path / "m.safetensors"
    save_model(path, build_generator("cnn"), ModelInfo("cnn"))
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["pix2color"]) | {field: value}
    save_file(load_file(path), path, metadata={"pix2color": json.dumps(header)})
    done = invoke("info", path)
    assert done.returncode == ModelError.exit_code
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr


def test_a_deeply_nested_header_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    deep = '{"architecture": "cnn", "data": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}"
    save_file({"a": torch.zeros(2)}, path, metadata={"pix2color": deep})
    with pytest.raises(ModelError, match="header"):
        load_model(path)


def test_neither_a_card_nor_a_name_commands_the_terminal(tmp_path):
    path = tmp_path / "\x1b[2J.safetensors"
    save_model(path, build_generator("cnn"), ModelInfo("cnn", card="first\nsecond \x1b]0;x\x07"))
    done = invoke("info", path)
    assert "first\nsecond" in done.stdout
    path.write_bytes(b"")
    for text in (done.stdout, invoke("info", path).stderr):
        assert text
        assert not set(text) & {"\x1b", "\x07"}


def test_missing_files_and_unfinished_runs_are_named(tmp_path):
    with pytest.raises(MissingPathError, match="no such model"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(MissingPathError, match="first checkpoint"):
        load_model(tmp_path)


def test_the_mean_of_models_is_that_of_their_weights(tmp_path):
    script = Path(__file__).parents[2] / "assets" / "mean_weights.py"
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other", "mean")]
    for path in paths[:2]:
        save_model(path, build_generator("cnn"), ModelInfo("cnn", render_size=96))
    subprocess.run([sys.executable, script, *paths[:2], "--out", paths[2]], check=True)
    one, other, mean = (load_model(path)[0].state_dict() for path in paths)
    assert load_model(paths[2])[1].render_size == 96
    assert any((one[name] != other[name]).any() for name in one)
    for name, value in mean.items():
        if value.is_floating_point():  # not the counters of batches
            torch.testing.assert_close(value, (one[name] + other[name]) / 2)
