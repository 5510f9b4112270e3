"""Trainings that cannot be: one line, the right exit code, and nothing is written."""

import pytest
from conftest import QUICK, one_line, pix2color, settings


@pytest.fixture
def runs(tmp_path):
    yield tmp_path / "runs"
    assert not (tmp_path / "runs").exists()


def fails(code, runs, *words):
    result = pix2color(*words, "--runs-dir", runs, *settings(*QUICK))
    return one_line(result, code)


def test_missing_folder(runs):
    assert "nowhere" in fails(2, runs, "pretrain", "--data", "nowhere")


def test_empty_folder(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no photo" in fails(1, runs, "pretrain", "--data", tmp_path / "empty")


def test_folder_of_text(runs, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("hello")
    assert "no photo" in fails(1, runs, "pretrain", "--data", tmp_path / "texts")


def test_text_named_as_photos(runs, tmp_path):
    (tmp_path / "texts").mkdir()
    for i in range(3):
        (tmp_path / "texts" / f"{i}.jpg").write_text("hello")
    told = fails(1, runs, "pretrain", "--data", tmp_path / "texts", "--max-steps", 2)
    assert "cannot be read" in told


def test_no_data(runs):
    assert "--data" in fails(2, runs, "pretrain")


def test_no_init(runs, photos):
    assert "--init" in fails(2, runs, "train-gan", "--data", photos)


def test_bad_yaml(runs, tmp_path):
    (tmp_path / "c.yaml").write_text("a: [")
    assert "c.yaml" in fails(2, runs, "pretrain", "--config", tmp_path / "c.yaml")


def test_wrong_setting(runs, photos):
    told = fails(2, runs, "pretrain", "--data", photos, "--set", "data.cropp=64")
    assert "data.crop" in told


def test_wrong_optimizer_option(runs, photos):
    told = fails(2, runs, "pretrain", "--data", photos, "--set", "optimizer.options={beta: 1}")
    assert "betas" in told


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("data.crop=40", "larger data.crop"),
        ("discriminator.options={norm: instance}", "spectral"),
        ("discriminator.options={depth: 2}", "it has: norm, width"),
        ("optimizer.options={betas: [2, 0.9]}", "optimizer.options"),
        ("optimizer.options={lr: 1}", "no 'lr'"),
        ("adversarial=hing", "known are: hinge, vanilla, lsgan"),
        ("reconstruction=l2", "known are: l1, mse"),
        ("reconstruction=feature", "feature_weights"),
        ("optimizer.name=Adan", "AdamW"),
        ("schedule.name=plateau", "--val"),
    ],
)
def test_settings_that_do_not_fit_each_other(runs, photos, pretrained, setting, told):
    start = ("train-gan", "--init", pretrained, "--data", photos, "--max-steps", 3)
    result = pix2color(
        *(*start, "--runs-dir", runs),
        *settings(*QUICK, "critic_warmup_steps=1", setting),
    )
    assert told in one_line(result, 2)


def test_a_runs_folder_that_cannot_be(photos, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = pix2color(
        *("pretrain", "--data", photos, "--runs-dir", tmp_path / "file", "--max-steps", 1),
        *settings(*QUICK),
    )
    assert str(tmp_path / "file") in one_line(result, 1)


def test_compiling_without_a_compiler(runs, photos, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    told = fails(2, runs, "pretrain", "--data", photos, "--compile", "--set", "device=cpu")
    assert "install a C++ compiler" in told


def test_two_budgets(runs, photos):
    told = fails(2, runs, "pretrain", "--data", photos, "--epochs", 1, "--max-steps", 1)
    assert "exactly one" in told


def test_html_as_init(runs, photos, tmp_path):
    (tmp_path / "m.safetensors").write_text("<html>")
    told = fails(1, runs, "train-gan", "--data", photos, "--init", tmp_path / "m.safetensors")
    assert "web page" in told
