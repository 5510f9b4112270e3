from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT

from pix2color.config.load import RECIPES, dump_recipe, load_recipe, shipped
from pix2color.errors import ConfigError, MissingPathError
from pix2color.models.registry import build_generator
from pix2color.training.schedule import Schedule
from pix2color.training.tasks import build_task

# Nine levels of ten repetitions each: ten to the ninth values in 400 characters.
LAUGHS = "&y0 [" + ",".join("1" * 10) + "]"
for level in range(1, 9):
    LAUGHS = f"&y{level} [{LAUGHS},{','.join([f'*y{level - 1}'] * 9)}]"


def _short(text):
    return text[:30]


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_recipe_is_valid_and_can_be_written_back(path, tmp_path):
    tasks = [yaml.safe_load(path.read_text()).get("task")]
    for task in tasks if tasks[0] else RECIPES:
        recipe = load_recipe(task, path)
        again = tmp_path / "config.yaml"
        again.write_text(dump_recipe(recipe))
        assert load_recipe(task, again) == recipe


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs" / "baselines").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_baseline_has_a_network_losses_optimizers_and_a_schedule_that_exist(path):
    recipe = load_recipe(None, path)
    with torch.device("meta"):  # no memory, no time
        generator = build_generator(recipe.model.name, recipe.model.options)
        task = build_task(recipe, generator)
    assert task.modules["generator"] is generator
    assert Schedule(recipe.schedule).factor(0.0, own_step=10_000) == 1


@pytest.mark.parametrize(("task", "name"), [("pretrain", "pretrain"), ("train-gan", "gan")])
def test_the_plain_recipes_are_the_defaults(task, name):
    assert load_recipe(task, ROOT / "configs" / f"{name}.yaml") == load_recipe(task)


def test_shipped_recipes_have_names_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {path.stem for path in (ROOT / "configs").rglob("*.yaml")}
    assert {name.rpartition("/")[2] for name in shipped()} == files
    recipe = load_recipe(None, Path("baselines/cnn-mse"))
    assert recipe == load_recipe(None, ROOT / "configs" / "baselines" / "cnn-mse.yaml")
    assert recipe == load_recipe(None, Path("configs/baselines/cnn-mse.yaml"))
    (tmp_path / "gan").write_text("task: train-gan\nseed: 5\n")  # a file of one's own goes first
    assert load_recipe(None, Path("gan")).seed == 5
    with pytest.raises(MissingPathError, match="did you mean pretrain"):
        load_recipe(None, Path("pretain"))


def test_every_setting_is_documented():
    for recipe in RECIPES.values():
        for name, field in recipe.model_fields.items():
            assert field.description, name


def test_later_sources_win(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("data: {crop: 64, batch_size: 2}\nbudget: {epochs: 3}\n")
    recipe = load_recipe("pretrain", path, ["data.crop=96", "seed=5"], {"seed": 7})
    assert (recipe.data.crop, recipe.data.batch_size, recipe.seed) == (96, 2, 7)


def test_keys_have_one_name():
    with pytest.raises(ConfigError, match=r"'optim.lr'; did you mean 'optimizer.lr'"):
        load_recipe("pretrain", None, ["optim.lr=1"])
    with pytest.raises(ConfigError, match=r"did you mean 'data.batch_size'"):
        load_recipe("pretrain", None, ["data.batch=4"])


@pytest.mark.parametrize(
    ("task", "old", "new"),
    [
        ("pretrain", "losses", "reconstruction"),
        ("train-gan", "losses", "reconstruction"),
        ("train-gan", "loss", "adversarial"),
        ("pretrain", "loss", "reconstruction"),
    ],
)
def test_an_old_key_is_refused_with_the_new_one(task, old, new, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"task: {task}\n{old}: l1\n")
    calls = [(path, [], path.name), (None, [f"{old}=l1"], "--set")]
    if old == "losses":
        calls.append((None, ["losses.l1=2"], "--set"))
    for config, settings, source in calls:
        with pytest.raises(ConfigError) as caught:
            load_recipe(task, config, settings)
        message = str(caught.value)
        assert source in message
        assert f"{old!r}" in message
        assert f"{new!r}" in message
        assert "\n" not in message


def test_the_render_size_is_that_of_training_unless_it_is_given():
    assert load_recipe("pretrain", None, ["data.crop=64"]).resolved_render_size == 64
    recipe = load_recipe("pretrain", None, ["data.crop=64", "render_size=128"])
    assert (recipe.data.crop, recipe.resolved_render_size) == (64, 128)


def test_losses_replace_those_before():
    assert load_recipe("train-gan", None, ["reconstruction.ssim=2"]).reconstruction == {"ssim": 2.0}
    for wrong in ("reconstruction={}", "reconstruction.l1=-1", "reconstruction=[l1]"):
        with pytest.raises(ConfigError, match="reconstruction"):
            load_recipe("pretrain", None, [wrong])


def test_null_is_a_value():
    recipe = load_recipe("pretrain", None, ["ema=null", "validation.every_minutes=null"])
    assert (recipe.ema, recipe.validation.every_minutes) == (None, None)
    assert load_recipe("pretrain", None, [], {"ema": None}).ema == 0.999  # a flag not given
    with pytest.raises(ConfigError, match="crop"):
        load_recipe("pretrain", None, ["data.crop=null"])


def test_one_budget_replaces_another(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("budget: {epochs: 3}\n")
    recipe = load_recipe("pretrain", path, (), {"budget.max_steps": 9})
    assert recipe.budget.model_dump(exclude_none=True) == {"max_steps": 9}


def test_changing_a_rate_keeps_the_optimizers_options():
    recipe = load_recipe("train-gan", None, ["optimizer.lr=1e-5"])
    assert recipe.optimizer.lr == 1e-5
    assert recipe.optimizer.options == {"betas": [0.0, 0.9], "fused": True}


def test_naming_another_optimizer_drops_the_options_of_the_first():
    assert load_recipe("train-gan", None, ["optimizer.name=SGD"]).optimizer.options == {}


def test_numbers_with_exponents_are_numbers_everywhere(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("optimizer: {lr: 1e-4, options: {weight_decay: 1e-3}}\n")
    recipe = load_recipe("pretrain", path)
    assert (recipe.optimizer.lr, recipe.optimizer.options["weight_decay"]) == (1e-4, 1e-3)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("data.batchsize=8", "did you mean 'data.batch_size'"),
        ("optimzer.lr=1", "did you mean 'optimizer.lr'"),
        ("lr=1", "did you mean 'optimizer.lr'"),
        ("data.crop=big", "data.crop: should be a valid integer"),
        ("data.batch_size=true", "data.batch_size"),
        ("data.batch_size=0", "data.batch_size"),
        ("budget={epochs: 2, max_steps: 3}", "exactly one"),
        ("budget={}", "exactly one"),
        ("seed.x=1", "seed"),
        ("no equals sign", "key=value"),
        ("seed=[", "not valid YAML"),
        ("name=2020-13-45", "not valid YAML"),
        ("seed=100000000000000000000", "seed"),
        ("budget.epochs=.inf", "finite"),
        ("budget.epochs=1e300", "budget.epochs"),
        ("reconstruction.l1=.nan", "reconstruction.l1"),
        ("data.crop=1000000000", "data.crop"),
        ("data.workers=1000000000", "data.workers"),
        ("data.repeat={a: 1000000000000}", "data.repeat.a"),
        ("seed=" + "9" * 5000, "seed"),
        ("optimizer.options.weight_decay=0x" + "f" * 5000, "optimizer.options.weight_decay"),
        (".".join("a" * 5000) + "=1", "--set a.a"),
        ("seed=" + "[" * 5000 + "]" * 5000, "too deeply nested"),
        ("seed=" + str([1] * 1000), "seed"),
        ("name=../../x", "name"),
        ("name=a/../../x", "name"),
        ("name=/tmp/x", "name"),
        ("name=.", "name"),
        ("name=" + "x" * 256, "name"),
    ],
    ids=_short,
)
def test_wrong_settings_are_refused_in_one_line(setting, told):
    with pytest.raises(ConfigError, match=r".") as caught:
        load_recipe("pretrain", None, [setting])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1\nb", "line 2"),
        ("- a\n- b\n", "key: value"),
        ("task: train-gan\n", "pix2color train-gan"),
        ("sead: 3\n", "did you mean 'seed'"),
        ("\x00", "not valid YAML"),
        ("seed: " + LAUGHS, "values"),
        ("data: &a {repeat: *a}\n", "values"),
        ("a: " + "{a: " * 100_000 + "}" * 100_000, "too deeply nested"),
        ("#" * 2_000_000, "longer"),
        ("? [1]\n: 2\n", "not valid YAML"),
    ],
    ids=_short,
)
def test_wrong_files_are_refused_by_name(tmp_path, text, told):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"recipe\.yaml") as caught:
        load_recipe("pretrain", path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_from_windows_are_read(encoding, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes("seed: 7\r\nname: Großmutter\r\n".encode(encoding))
    recipe = load_recipe("pretrain", path)
    assert (recipe.seed, recipe.name) == (7, "Großmutter")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r"none\.yaml"):
        load_recipe("pretrain", tmp_path / "none.yaml")
