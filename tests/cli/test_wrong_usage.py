"""Trainings that cannot be: one line, the right exit code, and nothing is written."""

import pytest
from command_line import invoke
from conftest import QUICK, one_line, pix2color, settings


@pytest.fixture
def runs(tmp_path):
    yield tmp_path / "runs"
    assert not (tmp_path / "runs").exists()


def fails(code, runs, *words, run=invoke):
    result = run(*words, "--runs-dir", runs, *settings(*QUICK))
    return one_line(result, code)


def test_missing_folder(runs):
    assert "nowhere" in fails(2, runs, "pretrain", "--data", "nowhere", run=pix2color)


def test_empty_folder(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no photo" in fails(1, runs, "pretrain", "--data", tmp_path / "empty", run=pix2color)


def test_folder_of_text(runs, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("hello")
    assert "no photo" in fails(1, runs, "pretrain", "--data", tmp_path / "texts")


def test_text_named_as_photos(runs, tmp_path):
    (tmp_path / "texts").mkdir()
    for i in range(3):
        (tmp_path / "texts" / f"{i}.jpg").write_text("hello")
    message = fails(1, runs, "pretrain", "--data", tmp_path / "texts", "--max-steps", 2)
    assert "cannot be read" in message


def test_no_data(runs):
    assert "--data" in fails(2, runs, "pretrain")


def test_no_init(runs, photos):
    assert "--init" in fails(2, runs, "train-gan", "--data", photos)


def test_bad_yaml(runs, tmp_path):
    (tmp_path / "c.yaml").write_text("a: [")
    assert "c.yaml" in fails(2, runs, "pretrain", "--config", tmp_path / "c.yaml")


def test_wrong_setting(runs, photos):
    message = fails(2, runs, "pretrain", "--data", photos, "--set", "data.cropp=64")
    assert "data.crop" in message


def test_wrong_optimizer_option(runs, photos):
    message = fails(2, runs, "pretrain", "--data", photos, "--set", "optimizer.options={beta: 1}")
    assert "betas" in message


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("data.crop=40", "larger data.crop"),
        ("discriminator.options={norm: instance}", "spectral"),
        ("discriminator.options={depth: 2}", "it has: norm, width"),
        ("optimizer.options={betas: [2, 0.9]}", "optimizer.options"),
        ("optimizer.options={lr: 1}", "no 'lr'"),
        ("adversarial=hing", "known are: hinge, vanilla, lsgan"),
        ("reconstruction=l2", "known are: l1, mse"),
        ("reconstruction=feature", "feature_weights"),
        ("reconstruction=teacher", "teacher="),
        ("optimizer.encoder_lr=0.1", "no encoder"),
        ("optimizer.name=Adan", "AdamW"),
        ("schedule.name=plateau", "--val"),
    ],
)
def test_settings_that_do_not_fit_each_other(runs, photos, pretrained, setting, named):
    start = ("train-gan", "--init", pretrained, "--data", photos, "--max-steps", 3)
    result = invoke(
        *(*start, "--runs-dir", runs),
        *settings(*QUICK, "critic_warmup_steps=1", setting),
    )
    assert named in one_line(result, 2)


def test_a_runs_folder_that_cannot_be(photos, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = invoke(
        *("pretrain", "--data", photos, "--runs-dir", tmp_path / "file", "--max-steps", 3),
        *settings(*QUICK),
    )
    assert str(tmp_path / "file") in one_line(result, 1)


def test_compiling_without_a_compiler(runs, photos, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    words = ("pretrain", "--data", photos, "--compile", "--set", "device=cpu")
    message = fails(2, runs, *words, run=pix2color)
    assert "install a C++ compiler" in message


def test_two_budgets(runs, photos):
    message = fails(2, runs, "pretrain", "--data", photos, "--epochs", 1, "--max-steps", 1)
    assert "exactly one" in message


def test_html_as_init(runs, photos, tmp_path):
    (tmp_path / "m.safetensors").write_text("<html>")
    message = fails(1, runs, "train-gan", "--data", photos, "--init", tmp_path / "m.safetensors")
    assert "web page" in message


def test_resuming_takes_no_other_setting(runs, tmp_path):
    result = invoke("pretrain", "--resume", tmp_path / "run", "--epochs", 3)
    assert "--workers" in one_line(result, 2)


@pytest.mark.parametrize("words", [(), ("--steps-each", 1, "--epochs-each", 1)])
def test_comparing_takes_one_budget(photos, tmp_path, words):
    result = invoke("compare", tmp_path / "a.yaml", "--data", photos, *words)
    assert "--minutes-each" in one_line(result, 2)


@pytest.mark.parametrize("command", ["lr-find", "pretrain-encoder"])
def test_some_commands_run_in_one_process(photos, monkeypatch, command):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = invoke(command, "--data", photos, "--out", "file")
    assert command in one_line(result, 2)
