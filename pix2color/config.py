"""Recipes: everything that decides a training run, typed and checked before it starts.

A recipe comes from the defaults below, then ``--config FILE.yaml``, then ``--set key=value``,
then the command line's own flags; the later wins. Each run writes its complete recipe to
``config.yaml``, which ``--config`` takes again.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pix2color.errors import ConfigError, MissingPathError


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number, not true or false")
    return value


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, lt=2**63)]
Whole = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, lt=2**63)]
Positive = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, lt=1)]


class Section(BaseModel):
    """Base of all parts of a recipe: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ModelConfig(Section):
    """The generator."""

    name: str = "unet-resnet18"
    """Which network; ``pix2color.models.GENERATORS`` lists them."""
    encoder_weights: str = "none"
    """``none``, ``imagenet`` (torchvision's, downloaded) or the path of a local state dict."""
    options: dict[str, Any] = {}
    """Keywords of the network's builder."""


class DiscriminatorConfig(Section):
    """The discriminator, which sees L beside ab."""

    name: str = "patchgan"
    """Which network; ``pix2color.models.DISCRIMINATORS`` lists them."""
    options: dict[str, Any] = {}
    """Keywords of its builder, such as ``norm: batch``."""
    resolution: Literal["half", "full"] = "half"
    """Of what it sees. Half costs a quarter and looks at twice as large a patch."""
    passes: Literal["joint", "separate"] = "joint"
    """Real and fake in one batch, or one after the other (which matters for BatchNorm)."""


class DataConfig(Section):
    """Photos and how they become batches."""

    train: list[Path] = []
    """Folders of colour photos, searched recursively (``--data``)."""
    val: list[Path] = []
    """Folders of photos for validation (``--val``)."""
    val_fraction: Share = 0.1
    """Without ``val``: the share of the photos kept for validation, chosen by content hash."""
    limit: Count | None = None
    """Train on at most so many photos, chosen by content hash: a larger limit only adds some."""
    batch_size: Count = 16
    """Pictures in a batch of each process."""
    crop: Annotated[int, Field(ge=32)] = 128
    """Side of the square that the network is trained on, in pixels."""
    shape: Literal["crop", "squash"] = "crop"
    """Random crops of unchanged aspect, or the whole photo squashed to a square."""
    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Smallest side of a random crop, as a share of the photo's short side."""
    flip: bool = True
    """Mirror half of the pictures."""
    min_colorfulness: Annotated[float, Field(ge=0)] = 6.0
    """Photos below this (Hasler & Süsstrunk) count as gray and are left out of training."""
    workers: Whole | None = None
    """Processes that read photos; by default up to 8 beside a GPU; on a CPU 2, or none for prepared
    photos."""


class OptimizerConfig(Section):
    """One network's optimizer."""

    name: Literal["Adam", "AdamW", "RMSprop", "SGD"] = "AdamW"
    """The class in ``torch.optim``."""
    lr: Positive = 1e-3
    """Learning rate at the top of the schedule."""
    options: dict[str, Any] = {}
    """Further keywords of that class, such as ``betas`` or ``weight_decay``."""


class ScheduleConfig(Section):
    """How learning rates move over the budget."""

    name: Literal["cosine", "constant"] = "cosine"
    """After the warm-up: down to zero along a half cosine, or level."""
    warmup_steps: Whole = 200
    """Steps of linear rise, counted from a network's own first step."""


class BudgetConfig(Section):
    """How long to train: exactly one of the three. The schedule follows it."""

    epochs: Positive | None = None
    """Passes over the training photos."""
    max_steps: Count | None = None
    """Optimizer steps."""
    max_minutes: Positive | None = None
    """Minutes by the clock, validation included."""

    @model_validator(mode="after")
    def _exactly_one(self) -> BudgetConfig:
        if sum(v is not None for v in (self.epochs, self.max_steps, self.max_minutes)) != 1:
            raise ValueError("give exactly one of epochs, max_steps and max_minutes")
        return self


class ValidationConfig(Section):
    """Validation while training, on the averaged weights."""

    every_minutes: Positive | None = 5.0
    """How often, by the clock (and always at the end)."""
    every_steps: Count | None = None
    """How often, by steps."""
    photos: Count = 100
    """At most so many photos, the same every time."""
    on_training_photos: bool = False
    """Validate on the photos that are trained on: only to see whether they are learnt by heart."""
    size: Annotated[int, Field(ge=32)] = 256
    """Short side and crop in pixels; 256 is what ``pix2color evaluate`` uses."""


class CheckpointConfig(Section):
    """Saving everything that ``--resume`` needs."""

    every_minutes: Positive | None = 5.0
    """How often, by the clock (and always at the end)."""
    every_steps: Count | None = None
    """How often, by steps."""
    keep: Count = 2
    """So many newest ones stay, and the best one (``selection``)."""


class SelectionConfig(Section):
    """Which validation of a run is the best."""

    band: tuple[Positive, Positive] | None = None
    """Colourfulness ratios among which the lowest ΔE00 is the best; null: among all."""
    export: bool = False
    """Export the best instead of the last (``--select``)."""


class EngineConfig(Section):
    """How the engine steps, whatever the task."""

    seed: Whole = 0
    """Fixes the first weights, the order of the photos and every random choice."""
    channels_last: bool = True
    """Memory layout; faster on CPUs and on GPUs with tensor cores."""
    compile: bool = False
    """Train the networks compiled by torch.compile (``--compile``): minutes of building, then
    faster steps on GPUs, and 3 to 6 % on a CPU."""
    accumulate: Count = 1
    """Batches that make one optimizer step: their gradients are averaged."""
    schedule: ScheduleConfig = ScheduleConfig()
    """Course of the learning rates."""
    clip: Positive | None = 1.0
    """Largest norm of a network's gradient; null: only measured."""
    max_skipped: Count = 20
    """Steps without a finite gradient that are skipped among 1,000, before the run stops."""
    ema: Share | None = 0.999
    """Decay of the averaged weights, which are what is validated and exported; null: none."""


class Recipe(EngineConfig):
    """What both stages have in common."""

    task: str
    """``pretrain`` or ``train-gan``."""
    name: str | None = None
    """Name of the run's folder; by default the task and the time."""
    runs_dir: Path = Path("runs")
    """Where the runs' folders are."""
    device: Literal["auto", "cpu"] = "auto"
    """``auto`` takes an accelerator if there is one."""
    precision: Literal["auto", "bf16", "float32"] = "auto"
    """Of the networks; ``auto`` is bf16 where the hardware computes in it."""
    init: Path | None = None
    """Run or model file of the generator to start from (``--init``); stage two needs one."""
    model: ModelConfig = ModelConfig()
    """The generator; with ``init`` it is that one's."""
    data: DataConfig = DataConfig()
    """Photos and batches."""
    optimizer: OptimizerConfig
    """The generator's optimizer."""
    freeze_batchnorm: bool
    """Keep the generator's BatchNorm statistics as they are."""
    budget: BudgetConfig
    """How long to train."""
    validation: ValidationConfig = ValidationConfig()
    """Validation while training."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """Checkpoints."""
    selection: SelectionConfig = SelectionConfig()
    """Which validation is the best."""
    log_every: Count = 10
    """Steps between points of the curves."""


class PretrainRecipe(Recipe):
    """Stage one: L1 on L → ab."""

    task: Literal["pretrain"] = "pretrain"
    """The command that runs this recipe."""
    optimizer: OptimizerConfig = OptimizerConfig(
        lr=1e-3, options={"weight_decay": 0.01, "fused": True}
    )
    """The generator's optimizer."""
    freeze_batchnorm: bool = False
    """Keep the generator's BatchNorm statistics as they are."""
    budget: BudgetConfig = BudgetConfig(epochs=30)
    """How long to train."""


class GanRecipe(Recipe):
    """Stage two: L1 and an adversarial loss."""

    task: Literal["train-gan"] = "train-gan"
    """The command that runs this recipe."""
    loss: str = "hinge"
    """Adversarial loss; ``pix2color.losses.ADVERSARIAL`` lists them."""
    l1_weight: Annotated[float, Field(ge=0)] = 60.0
    """λ, the weight of L1 beside the adversarial loss."""
    critic_warmup_steps: Whole = 120
    """Steps in which only the discriminator learns, the generator standing still."""
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    """The discriminator."""
    optimizer: OptimizerConfig = OptimizerConfig(
        name="Adam", lr=1e-4, options={"betas": [0.0, 0.9], "fused": True}
    )
    """The generator's optimizer."""
    discriminator_optimizer: OptimizerConfig = OptimizerConfig(
        name="Adam", lr=4e-4, options={"betas": [0.0, 0.9], "fused": True}
    )
    """The discriminator's optimizer."""
    freeze_batchnorm: bool = True
    """Keep the generator's BatchNorm statistics as pretrained."""
    clip: Positive | None = None
    """Largest norm of a network's gradient; null: only measured."""
    selection: SelectionConfig = SelectionConfig(band=(0.85, 1.10))
    """Which validation is the best."""
    budget: BudgetConfig = BudgetConfig(epochs=10)
    """How long to train."""


RECIPES: dict[str, type[PretrainRecipe] | type[GanRecipe]] = {
    "pretrain": PretrainRecipe,
    "train-gan": GanRecipe,
}


def load_recipe(
    task: str | None,
    config: Path | None = None,
    settings: list[str] | tuple[str, ...] = (),
    flags: dict[str, Any] | None = None,
) -> PretrainRecipe | GanRecipe:
    """A checked recipe.

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
        raise ConfigError(f"{config}: its task is {task!r}; known are {', '.join(RECIPES)}")
    if tree.get("task", task) != task:
        raise ConfigError(
            f"{config}: is a recipe for {tree['task']!r}; run it with: pix2color {tree['task']}"
        )
    tree = _merged(RECIPES[task]().model_dump(), tree)
    recipe = _validated(RECIPES[task], tree, f"{config}: ")
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    for changes in (dict(map(_parse_setting, settings)), given):
        later: dict[str, Any] = {}
        for key, value in changes.items():
            _put(later, key, value)
        tree = _merged(tree, later)
        recipe = _validated(RECIPES[task], tree, "")
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The complete recipe as YAML."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads ``1e-4`` as a number, as YAML 1.2 has it."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingPathError(f"{path}: no such recipe")
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{path}: not valid YAML{where}; correct it there") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: a recipe is made of 'key: value' lines")
    return tree


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {setting}: write it as key=value, such as data.batch_size=8")
    try:
        return key.strip(), yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {setting}: the value is not valid YAML") from error


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for name in parents:
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {dotted}: {name!r} has no parts")
        tree = below
    tree[last] = value


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``changes`` laid over ``base``, part by part.

    A budget replaces the one before as a whole, and so do a network's or an optimizer's
    options, which also go when another one is named.
    """
    result = dict(base)
    if changes.get("name", base.get("name")) != base.get("name") and "options" in base:
        result["options"] = {}
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and key not in ("budget", "options"):
            value = _merged(below, value)
        result[key] = value
    return result


def _validated(
    kind: type[PretrainRecipe] | type[GanRecipe], tree: dict[str, Any], source: str
) -> PretrainRecipe | GanRecipe:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(source + _explain(error, kind)) from error


def _explain(error: ValidationError, recipe: type[Section]) -> str:
    """The first problem, in one line, with the nearest right name for an unknown key."""
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(recipe)
        same_end = [k for k in known if k.rpartition(".")[2] == key]
        near = same_end or difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        return f"unknown setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = "" if problem["type"] == "value_error" else f" (got {problem['input']!r})"
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
