"""Reading, changing, checking and writing recipes.

A recipe comes from the defaults in ``schema``, then ``--config FILE.yaml``, then
``--set key=value``, then the command line's own flags; the later wins. Each run writes its
complete recipe to ``config.yaml``, which ``--config`` takes again.
"""

from __future__ import annotations

import difflib
import reprlib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from pix2color.config.migration import refuse_old_keys
from pix2color.config.schema import AnyRecipe, DoubtRecipe, GanRecipe, PretrainRecipe, Recipe
from pix2color.config.sections import Section
from pix2color.config.yaml_text import MOST_BYTES, read_yaml
from pix2color.errors import ConfigError, MissingPathError

RECIPES: dict[str, type[AnyRecipe]] = {
    "pretrain": PretrainRecipe,
    "train-gan": GanRecipe,
    "train-doubt": DoubtRecipe,
}


def load_recipe(
    task: str | None,
    config: Path | None = None,
    settings: list[str] | tuple[str, ...] = (),
    flags: dict[str, Any] | None = None,
) -> AnyRecipe:
    """Return a checked recipe.

    Args:
        task: a key of ``RECIPES``; None takes it from the file.
        config: YAML file; None for the defaults.
        settings: ``a.b=value``, the value read as YAML.
        flags: dotted key to value; those that are None count as not given.

    Raises:
        MissingPathError: there is no such YAML file.
        ConfigError: anything in it is wrong; the message names the key.
    """
    tree = _read_yaml(config) if config else {}
    task = task or str(tree.get("task"))
    if task not in RECIPES:
        raise ConfigError(
            f"{config}: its task is {_SHORT.repr(task)}; known are {', '.join(RECIPES)}"
        )
    if tree.get("task", task) != task:
        shown = _SHORT.repr(tree["task"])
        raise ConfigError(
            f"{config}: is a recipe for {shown}; run it with: pix2color {shown.strip(chr(39))}"
        )
    refuse_old_keys(tree, RECIPES[task], str(config))
    tree = _merged(RECIPES[task]().model_dump(), tree)
    recipe = _validated(RECIPES[task], tree, f"{config}: ")
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    for changes in (dict(map(_parse_setting, settings)), given):
        later: dict[str, Any] = {}
        for key, value in changes.items():
            _put(later, key, value)
        refuse_old_keys(later, RECIPES[task], "--set")
        tree = _merged(tree, later)
        recipe = _validated(RECIPES[task], tree, "")
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Return the complete recipe as YAML."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


_WHOLE = ("budget", "reconstruction", "options", "earlier_crops")


_MOST_LEVELS = 10
_SHORT = reprlib.Repr()
_SHORT.maxstring = 100


def shipped() -> dict[str, Path]:
    """Return the recipes that come with pix2color, by name, such as ``default-l1``."""
    inside = Path(__file__).parents[1] / "configs"  # once installed; in a checkout they are beside
    folder = inside if inside.is_dir() else inside.parents[1] / "configs"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
    }


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        # One that comes along has its name wherever one is: configs/pretrain.yaml, or pretrain.
        recipes = shipped()
        name = path.as_posix().removeprefix("configs/").removesuffix(".yaml")
        if name not in recipes:
            near = difflib.get_close_matches(name, recipes, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `pix2color recipes` lists them"
            raise MissingPathError(f"{path}: no such recipe{hint}")
        path = recipes[name]
    try:
        with path.open("rb") as file:
            tree = read_yaml(file.read(MOST_BYTES + 1))
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; correct it there") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: a recipe is made of 'key: value' lines")
    return tree


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, text = setting.partition("=")
    shown = setting if len(setting) < 100 else f"{setting[:80]}…"
    if not equals or not key or key.count(".") > _MOST_LEVELS:
        raise ConfigError(f"--set {shown}: write it as key=value, such as data.batch_size=8")
    try:
        return key.strip(), read_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {shown}: the value is {error}") from error


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for name in parents:
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {dotted}: {name!r} is one value, without settings of its own")
        tree = below
    tree[last] = value


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it, key by key.

    A budget replaces the one before as a whole, and so do weights of losses, and a network's or
    an optimizer's options, which also go when another one is named.
    """
    result = dict(base)
    names = [str(tree.get("name", base.get("name"))).lower() for tree in (base, changes)]
    if names[0] != names[1] and "options" in base:
        result["options"] = {}
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and key not in _WHOLE:
            value = _merged(below, value)
        result[key] = value
    return result


def _validated(kind: type[AnyRecipe], tree: dict[str, Any], source: str) -> AnyRecipe:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(source + _explain(error, kind)) from error


def _explain(error: ValidationError, recipe: type[Section]) -> str:
    """Return the first problem, in one line, with the nearest right name for an unknown key."""
    problem = error.errors()[0]
    key = " ".join(".".join(map(str, problem["loc"])).split())[:100]
    if problem["type"] == "extra_forbidden":
        below = problem["input"]
        while isinstance(below, dict) and len(below) == 1:  # one key, written with dots
            ((name, below),) = below.items()
            key = f"{key}.{name}"
        known = _known_keys(recipe)
        same_end = [k for k in known if k.rpartition(".")[2] == key]
        near = same_end or difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        return f"unknown setting {_SHORT.repr(key)}" + (
            f"; did you mean {near[0]!r}?" if near else ""
        )
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = "" if problem["type"] == "value_error" else f" (got {_SHORT.repr(problem['input'])})"
    return f"{key}: {message}{given}"


def _known_keys(section: type[Section], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        kinds = (field.annotation, *get_args(field.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Section):
                keys += _known_keys(kind, f"{prefix}{name}.")
    return keys
