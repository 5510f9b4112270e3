import yaml
from conftest import QUICK, one_line, pix2color, settings
from PIL import Image
from skimage import data

from pix2color.training.overfit import Verdict, overfit_recipe
from pix2color.training.run_folder import find_runs

SMALL = ["data.crop=32", "data.workers=0", "validation.size=32", "precision=float32"]


def overfit(folder, runs, *words):
    return pix2color("overfit", "--data", folder, "--name", "o", "--runs-dir", runs, *words)


def test_a_photo_is_learnt_by_heart(photos, tmp_path):
    result = overfit(
        photos,
        tmp_path,
        *("--images", 1, "--max-steps", 60, "--batch-size", 2, *settings(*SMALL)),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 photos, 1 for validation" in result.stderr
    assert result.stdout.startswith(f"{tmp_path / 'o'}\nlearnt by heart: PSNR ")


def test_one_step_is_not_enough_and_advice_is_given(photos, tmp_path):
    quick = [setting for setting in QUICK if not setting.startswith("data.val_fraction")]
    result = overfit(
        photos, tmp_path, *("--images", 3, "--max-steps", 1, *settings(*quick, *SMALL))
    )
    assert result.returncode == 1
    assert "\nnot learnt by heart: PSNR " in result.stdout
    assert "--max-steps" in result.stdout
    config = yaml.safe_load((tmp_path / "o" / "config.yaml").read_text())
    assert config["data"]["limit"] == 3
    (run,) = find_runs(tmp_path)
    assert f"{run.scores['psnr']:.2f} dB" in result.stdout


def test_photos_without_colour_cannot_tell(tmp_path):
    (tmp_path / "pale").mkdir()
    pale = Image.blend(
        Image.fromarray(data.chelsea()).convert("L").convert("RGB"),
        Image.fromarray(data.chelsea()),
        0.25,
    )
    pale.save(tmp_path / "pale" / "a.png")
    result = overfit(tmp_path / "pale", tmp_path, *("--max-steps", 1, *settings(*SMALL)))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "enough colour" in result.stderr


def test_both_halves_of_the_criterion_count(tmp_path):
    assert Verdict(tmp_path, 30.0, 22.0, 0.9).learnt
    assert not Verdict(tmp_path, 23.0, 22.0, 1.0).learnt  # colourful, and wrong
    assert not Verdict(tmp_path, 30.0, 22.0, 0.3).learnt  # right, and pale


def test_a_budget_that_is_given_counts(tmp_path):
    def budget(settings, flags):
        return overfit_recipe(None, settings, flags).budget

    assert budget((), {}).max_steps == 300
    assert budget(("budget.epochs=2",), {}).epochs == 2
    assert budget((), {"budget.max_minutes": 1.0}).max_minutes == 1


def test_an_existing_run_is_left_alone(photos, tmp_path):
    (tmp_path / "o").mkdir()
    assert "exists" in one_line(overfit(photos, tmp_path), 2)
