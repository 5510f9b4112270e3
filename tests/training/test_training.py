"""Whole runs, by the real command line."""

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from command_line import invoke
from conftest import QUICK, ROOT, SHORT, one_line, pix2color, settings
from PIL import Image
from safetensors.torch import load_file
from skimage import data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pix2color.color.lab import rgb_to_l_ab
from pix2color.config.load import load_recipe
from pix2color.files import starting_model
from pix2color.models.model_file import load_model
from pix2color.models.render import render
from pix2color.models.timm_encoders import timm
from pix2color.training.run_folder import FINISHED, find_runs
from pix2color.training.setup import select_photos, validation_squares


@pytest.fixture(scope="module")
def gan(pretrained, photos, tmp_path_factory):
    runs = tmp_path_factory.mktemp("gan")
    result = pix2color(
        *("train-gan", "--init", pretrained, "--data", photos, "--runs-dir", runs, "--name", "g"),
        *("--max-steps", 5),
        *settings(
            *SHORT,  # the network is that of the model it starts from
            "discriminator.options={width: 8}",
            "data.val_fraction=0.3",
            "validation.size=64",
            "validation.every_steps=2",
            "critic_warmup_steps=2",
        ),
    )
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.strip())


def board(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def curve(events: EventAccumulator, tag: str) -> list[int]:
    return [point.step for point in events.Scalars(tag)]


def test_photos_of_any_name_may_move_between_two_halves_of_a_run(photos, tmp_path):
    moved = Path(os.fsdecode(bytes(tmp_path) + b"/moved caf\xe9"))
    shutil.copytree(photos, tmp_path / "photos")
    Image.fromarray(data.camera()).save(os.fsdecode(bytes(tmp_path) + b"/photos/caf\xe9.png"))
    runs = ("--runs-dir", tmp_path / "runs", "--max-steps", 2)
    result = invoke(
        *("pretrain", "--data", tmp_path / "photos", "--name", "my run", *runs),
        *settings(*QUICK, "data.batch_size=24", "data.val_fraction=0", "data.min_colorfulness=6"),
    )
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "my run"
    assert b"caf\xe9.png,gray" in (run / "left-out.csv").read_bytes()
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("max_steps: 2", "max_steps: 3"))
    (tmp_path / "photos").rename(moved)
    told = one_line(invoke("pretrain", "--resume", run), 2)
    cure = shlex.split(told.partition("say where they are: ")[2])
    assert cure == ["--resume", str(run), "--data", "FOLDER"]
    result = invoke("pretrain", *cure[:-1], moved)
    assert result.returncode == 0, result.stderr
    assert (run / "checkpoints" / "step-00000003").exists()


def test_photos_to_validate_on_must_be_others(photos, tmp_path):
    words = ("pretrain", "--data", photos, "--val", photos, "--runs-dir", tmp_path / "runs")
    told = one_line(invoke(*words, "--max-steps", 1, *settings(*QUICK)), 1)
    assert "--val" in told
    assert "--val-fraction" not in told


class TestPretrain:
    def test_it_goes_on_from_a_model_at_another_size(self, pretrained, photos, tmp_path):
        result = pix2color(
            *("pretrain", "--init", pretrained, "--data", photos, "--max-steps", 1),
            *("--runs-dir", tmp_path, *settings(*QUICK, "data.crop=64", "optimizer.lr=1e-9")),
        )
        assert result.returncode == 0, result.stderr
        run = Path(result.stdout.strip())
        assert yaml.safe_load((run / "config.yaml").read_text())["init"] == str(pretrained)
        networks = [load_model(place)[0].named_parameters() for place in (pretrained, run)]
        for (name, before), (_, after) in zip(*networks, strict=True):
            torch.testing.assert_close(after, before, msg=name)
        assert load_model(run)[1].render_size == 64

    def test_other_losses_optimizers_and_schedules(self, photos, tmp_path):
        network = timm.create_model("tf_efficientnet_lite0")
        torch.save(network.state_dict(), tmp_path / "lite0.pth")
        losses = {"mse": 1, "smooth_l1": 1, "ssim": 0.5, "gradient": 1, "rarity": 1, "feature": 0.1}
        result = pix2color(
            *("pretrain", "--data", photos, "--val-fraction", 0.3, "--max-steps", 4),
            *("--runs-dir", tmp_path, "--name", "run"),
            *settings(
                *(
                    *QUICK,
                    f"reconstruction={losses}",
                    f"feature_weights={tmp_path / 'lite0.pth'}",
                ),
                *(
                    "optimizer.name=rmsprop",
                    "optimizer.options={momentum: 0.9}",
                    "schedule.name=plateau",
                ),
                *(
                    "schedule.options={patience: 0}",
                    "validation.size=64",
                    "validation.every_steps=1",
                ),
                "optimizer.lr=1.0",  # far too high: hardly a validation is better
            ),
        )
        assert result.returncode == 0, result.stderr
        events = board(tmp_path / "run")
        for name in losses:
            assert curve(events, f"generator/{name}") == [1, 2, 3, 4]
        rates = [point.value for point in events.Scalars("generator/learning_rate")]
        assert rates[3] <= 0.1 + 1e-6  # and 1 without a plateau

    def test_a_student_is_compared_with_its_teacher(self, photos, pretrained, tmp_path):
        losses = {}
        for name, start in {"itself": ["--init", pretrained], "another": []}.items():
            still = ["freeze_batchnorm=true", "optimizer.lr=1e-9", f"teacher={pretrained}"]
            result = pix2color(
                *("pretrain", "--data", photos, "--max-steps", 1, *start),
                *("--runs-dir", tmp_path, "--name", name),
                *settings(*QUICK, "reconstruction={teacher: 1}", *still),
            )
            assert result.returncode == 0, result.stderr
            run = board(tmp_path / name)
            losses[name] = run.Scalars("generator/teacher")[0].value
        assert losses["itself"] < 1e-6
        assert losses["another"] > 1e-3

    def test_the_run_folder_is_complete(self, pretrained):
        names = {p.name for p in pretrained.iterdir()}
        assert {
            "config.yaml",
            "metrics.jsonl",
            "samples",
            "checkpoints",
            "model.safetensors",
        } < names
        assert (pretrained / "checkpoints" / "step-00000006" / "state.pt").is_file()
        assert not list(pretrained.rglob("*.part"))

    def test_tensorboard_shows_it(self, pretrained):
        events = board(pretrained)
        assert curve(events, "generator/l1") == [1, 2, 3, 4, 5, 6]
        assert curve(events, "val/psnr") == [3, 6]
        wanted = {"generator/gradient_norm", "generator/learning_rate", "speed/pictures_per_second"}
        wanted |= {"val/ssim", "val/delta_e", "val/colorfulness_ratio", "val/psnr_gray", "val/loss"}
        tags = events.Tags()
        assert wanted < set(tags["scalars"])
        assert "gray | prediction | truth" in tags["images"]
        assert "unet" in str(events.Tensors("recipe/text_summary"))
        assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(
            events.summary_metadata
        )

    def test_sample_pictures_show_gray_prediction_truth(self, pretrained):
        sheet = Image.open(pretrained / "samples" / "step-00000006.jpg")
        assert sheet.width == 3 * 64 + 2 * 4

    def test_jsonl_holds_the_same_points(self, pretrained):
        lines = [json.loads(x) for x in (pretrained / "metrics.jsonl").read_text().splitlines()]
        assert [x["step"] for x in lines if "generator/l1" in x] == [1, 2, 3, 4, 5, 6]

    def test_the_model_is_the_average_and_knows_its_origin(self, pretrained):
        model, info = load_model(pretrained)
        state = torch.load(
            pretrained / "checkpoints" / "step-00000006" / "state.pt", weights_only=True
        )
        average = state["engine"]["ema"]["module"]
        assert all(torch.equal(v, average[n]) for n, v in model.state_dict().items())
        assert info.step == 6
        assert info.recipe["budget"]["max_steps"] == 6
        assert info.scores["psnr"] > 5

    def test_the_recipe_runs_again(self, pretrained, tmp_path):
        config = pretrained / "config.yaml"
        again = pix2color(
            *("pretrain", "--config", config, "--runs-dir", tmp_path, "--name", "again")
        )
        assert again.returncode == 0, again.stderr
        one, other = (load_model(run)[0].state_dict() for run in (pretrained, tmp_path / "again"))
        assert all(torch.equal(v, other[n]) for n, v in one.items())


class TestGan:
    def test_both_networks_have_curves(self, gan):
        events = board(gan)
        assert curve(events, "discriminator/accuracy_real") == [1, 2, 3, 4, 5]
        assert curve(events, "discriminator/accuracy_fake") == [1, 2, 3, 4, 5]
        assert curve(events, "generator/adversarial") == [3, 4, 5]
        assert curve(events, "val/colorfulness_ratio") == [2, 4, 5]
        assert {"discriminator/gradient_norm", "discriminator/learning_rate"} < set(
            events.Tags()["scalars"]
        )

    def test_it_starts_from_the_model_given(self, gan, pretrained):
        start, end = (load_model(run)[0].state_dict() for run in (pretrained, gan))
        assert all(torch.equal(v, end[n]) for n, v in start.items() if "running_" in n)
        moved = {n for n, v in start.items() if not torch.equal(v, end[n])}
        assert "head.weight" in moved

    def test_it_keeps_going_without_the_file_that_it_began_with(self, gan):
        config = yaml.safe_load((gan / "config.yaml").read_text())
        assert config["model"]["name"] == "unet"


def test_useless_photos_are_left_out_and_counted(photos, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for i, path in enumerate(sorted(photos.rglob("*.png"))[:6]):
        Image.open(path).save(folder / f"{i}.png")
    Image.fromarray(data.camera()).save(folder / "gray.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not looked at")
    clear = Image.fromarray(data.astronaut()).resize((64, 64))
    clear.putalpha(100)
    clear.save(folder / "clear.png")
    result = pix2color(
        *("pretrain", "--data", folder, "--max-steps", 8, "--name", "r", "--runs-dir", tmp_path),
        *settings(*QUICK),
    )
    assert result.returncode == 0, result.stderr
    assert "photos left out: 1 broken, 1 gray" in result.stderr
    listed = (tmp_path / "r" / "left-out.csv").read_text()
    assert re.search(r"gray\.jpg,gray", listed)
    assert re.search(r"broken\.jpg,broken", listed)


def test_minutes_are_a_budget(photos, tmp_path):
    result = pix2color(
        *("pretrain", "--data", photos, "--max-minutes", 0.15, "--name", "m"),
        *("--runs-dir", tmp_path, *settings(*QUICK)),
    )
    assert result.returncode == 0, result.stderr
    events = board(tmp_path / "m")
    rates = [p.value for p in events.Scalars("generator/learning_rate")]
    assert rates[-1] < max(rates) / 4  # the schedule followed the clock
    (run,) = find_runs(tmp_path)
    assert run.state == FINISHED


def test_a_budget_that_ends_before_the_generators_first_turn_is_told(photos, pretrained, tmp_path):
    result = pix2color(
        *("train-gan", "--init", pretrained, "--data", photos, "--max-minutes", 0.01),
        *("--runs-dir", tmp_path, *settings(*QUICK, "critic_warmup_steps=100000")),
    )
    assert result.returncode == 0, result.stderr
    assert "warning: the generator has learnt nothing" in result.stderr


def test_a_run_is_never_overwritten(pretrained, photos):
    before = (pretrained / "model.safetensors").read_bytes()
    result = pix2color(
        *("pretrain", "--data", photos, "--name", pretrained.name),
        *("--runs-dir", pretrained.parent),
    )
    assert "--resume" in one_line(result, 2)
    assert (pretrained / "model.safetensors").read_bytes() == before


def test_a_matched_saturation_is_that_of_the_training_photos(photos, tmp_path):
    words = ("pretrain", "--data", photos, "--max-steps", 8, "--runs-dir", tmp_path)
    for name, matched in (("plain", "false"), ("matched", "true")):
        result = pix2color(*words, "--name", name, *settings(*SHORT, f"match_saturation={matched}"))
        assert result.returncode == 0, result.stderr
    plain, matched = (load_model(tmp_path / name)[0] for name in ("plain", "matched"))
    gains = matched.head.weight / plain.head.weight
    assert torch.allclose(gains, gains.mean())  # of all colours, and of nothing else
    assert all(
        torch.equal(value, matched.state_dict()[name])
        for name, value in plain.state_dict().items()
        if name != "head.weight"
    )
    recipe = load_recipe(None, tmp_path / "matched" / "config.yaml")
    pixels, _ = validation_squares(select_photos(recipe)[0], recipe)
    L, ab = rgb_to_l_ab(pixels)
    with torch.no_grad():
        chroma = render(matched, L, recipe.resolved_render_size).norm(dim=1).mean()
    assert chroma.item() == pytest.approx(ab.norm(dim=1).mean().item(), rel=0.01)
    told = one_line(
        pix2color(*words, *settings(*SHORT, "match_saturation=true", "model.name=cnn")), 2
    )
    assert "match_saturation" in told


def test_stage_two_can_begin_from_scratch(photos, tmp_path):
    config = ROOT / "configs" / "baselines" / "unet-cgan.yaml"
    result = pix2color(
        *("train-gan", "--config", config, "--data", photos, "--max-steps", 2),
        *("--runs-dir", tmp_path, "--name", "new"),
        *settings(*QUICK, "model.options={width: 4}"),
    )
    assert result.returncode == 0, result.stderr
    assert load_model(tmp_path / "new")[1].architecture == "unet"


def test_an_encoder_can_learn_the_folders_first(photos, tmp_path):
    config = ROOT / "configs" / "baselines" / "resnet18-classified.yaml"
    words = ("pretrain", "--config", config, "--data", photos, "--runs-dir", tmp_path)
    words += ("--max-steps", 2, *settings(*SHORT, "ema=null", "optimizer.lr=1e-9"))
    first = pix2color(*words, "--name", "run")
    assert first.returncode == 0, first.stderr
    assert "encoder: 4 folders" in first.stderr
    encoder = load_file(next(tmp_path.glob("run-encoder-*.safetensors")))
    model = load_model(tmp_path / "run")[0]
    torch.testing.assert_close(model.stem[0].weight, encoder["conv1.weight"], atol=1e-6, rtol=0)
    shutil.rmtree(tmp_path / "run")
    again = pix2color(*words, "--name", "run")
    assert again.returncode == 0, again.stderr
    assert "encoder:" not in again.stderr  # it is there


def test_default_is_the_shipped_model_and_another_of_that_name_has_a_dot(photos, tmp_path):
    words = ("pretrain", "--data", photos, "--max-steps", 1, "--runs-dir", tmp_path / "runs")
    words += (*settings(*QUICK),)
    result = pix2color(*words, "--init", "default", "--name", "shipped", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = load_model(tmp_path / "runs" / "shipped")[1].architecture
    assert found == load_model(starting_model("default"))[1].architecture
    assert load_recipe("pretrain", None, ["init=default"]).init == starting_model("default")
    assert load_recipe("pretrain", None, ["init=./default"]).init == Path("default")
    one_line(pix2color(*words, "--init", "./default", cwd=tmp_path), 2)


def test_a_short_budget_shortens_the_warm_ups(photos, pretrained, tmp_path):
    result = pix2color(
        *("train-gan", "--init", pretrained, "--data", photos, "--max-steps", 4),
        *("--runs-dir", tmp_path, "--name", "r"),
        *settings(*QUICK, "critic_warmup_steps=120", "schedule.warmup_steps=200"),
    )
    assert result.returncode == 0, result.stderr
    recipe = load_recipe(None, tmp_path / "r" / "config.yaml")
    assert (recipe.critic_warmup_steps, recipe.schedule.warmup_steps) == (1, 1)
    assert result.stderr.count("critic_warmup_steps: 120") == 1


def test_a_run_that_could_learn_nothing_is_refused(photos, tmp_path):
    words = ("pretrain", "--data", photos, "--max-steps", 4, "--runs-dir", tmp_path / "runs")
    assert "reconstruction" in one_line(pix2color(*words, *settings("reconstruction.l1=0")), 2)
    assert not (tmp_path / "runs").exists()
