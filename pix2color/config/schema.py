"""Settings: everything that decides a training run, typed, with its default and its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pix2color.files import starting_model


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number, not true or false")
    return value


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, lt=2**63)]
Whole = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, lt=2**63)]
Positive = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, lt=1)]


def _starting_model(value: Any) -> Any:
    return starting_model(value) if isinstance(value, str) else value


def _by_weight(value: Any) -> Any:
    return {value: 1.0} if isinstance(value, str) else value


Side = Annotated[int, BeforeValidator(_no_bool), Field(ge=32)]
Strength = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)]
Losses = Annotated[
    dict[str, Annotated[float, BeforeValidator(_no_bool), Field(ge=0, allow_inf_nan=False)]],
    BeforeValidator(_by_weight),
    Field(min_length=1),
]


CLASSIFIED = "classified"
"""Encoder weights that are learnt from the photos' folders."""


class Section(BaseModel):
    """Base of all parts of a recipe: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ModelConfig(Section):
    """The generator."""

    name: str = "unet-resnet18"
    """Which network; ``pix2color.models.GENERATORS`` lists them."""
    encoder_weights: str = "none"
    """``none``, ``imagenet`` (torchvision's, downloaded), the path of a local state dict, or
    ``classified``: it learns to tell the photos' folders apart first, for as long as the budget."""
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
    crop: Side = 128
    """Side of the square that the network is trained on, in pixels."""
    earlier_crops: dict[Count, Side] = {}
    """Another side until so many epochs are done, such as ``{10: 96}``: the first ten epochs on
    squares of 96 pixels, which cost about half of those of 128."""
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

    def crop_in(self, epoch: int) -> int:
        """Side of the squares in an epoch, counted from 0."""
        ends = (end for end in sorted(self.earlier_crops) if epoch < end)
        return self.earlier_crops.get(next(ends, 0), self.crop)

    @property
    def largest_crop(self) -> int:
        """Side of the largest squares in any epoch."""
        return max([self.crop, *self.earlier_crops.values()])


class FilmConfig(Section):
    """How black-and-white photos differ from the L of colour photos.

    The network is shown such pictures while it trains, and is to find the colours all the same.
    Effects have strengths from 0, none, to 1, a badly worn photo; ``pix2color.film`` makes them.
    """

    share: Strength = 0.0
    """Of the training pictures that are changed."""
    mix: Strength = 1.0
    """Film that sees red, green and blue as brighter or darker than the eye does."""
    blur: Strength = 1.0
    """An unsharp lens, or a photo of a photo."""
    vignette: Strength = 1.0
    """Dark corners."""
    tone: Strength = 1.0
    """Another gamma, and more or less contrast."""
    grain: Strength = 1.0
    """Of the film."""
    fade: Strength = 1.0
    """Lifted blacks and dull whites, as of sepia prints and sunlight."""
    jpeg: Strength = 1.0
    """Blocks of strong JPEG compression."""


class OptimizerConfig(Section):
    """One network's optimizer."""

    name: str = "AdamW"
    """The class in ``torch.optim``, in capitals or not."""
    lr: Positive = 1e-3
    """Learning rate at the top of the schedule."""
    options: dict[str, Any] = {}
    """Further keywords of that class, such as ``betas`` or ``weight_decay``."""


class ScheduleConfig(Section):
    """How learning rates move over the budget."""

    name: Literal["cosine", "constant", "onecycle", "plateau"] = "cosine"
    """After the warm-up: down to zero along a half cosine; level; up and down; or level until
    the validation's loss no longer falls, then lower."""
    warmup_steps: Whole = 200
    """Steps of linear rise, counted from a network's own first step."""
    options: dict[str, Any] = {}
    """Keywords of torch's ``OneCycleLR`` (``pct_start`` and the two factors) or
    ``ReduceLROnPlateau`` (``factor``, ``patience``, counted in validations, …)."""


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
    """Export the best instead of the last (``train-gan --select``)."""


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
    init: Annotated[Path | None, BeforeValidator(_starting_model)] = None
    """Run or model file of the generator to start from (``--init``); ``default`` is the model that
    ships with pix2color, ``./default`` a file or folder of that name."""
    from_scratch: bool
    """Without ``init``, start from an untrained generator. Stage two does so only if told, as
    pix2pix does; a stage one that is told not to goes on from another model."""
    init_hash: str | None = None
    """Of that file, filled in when training starts; another file is refused."""
    model: ModelConfig = ModelConfig()
    """The generator; with ``init`` it is that one's."""
    data: DataConfig = DataConfig()
    """Photos and batches."""
    film: FilmConfig = FilmConfig()
    """Pictures as worn black-and-white photos have them."""
    reconstruction: Losses = {"l1": 1.0}
    """Weight of each loss on ab; ``pix2color.losses.RECONSTRUCTION`` lists them, and there is
    ``feature``. A name alone has the weight 1. Those that are given replace all."""
    render_size: Side | None = None
    """Short side, in pixels, of what the trained model looks at in use; by default
    ``data.crop``."""
    feature_weights: str = "none"
    """For the loss ``feature``: ``imagenet`` or the path of a ResNet18 state dict for RGB."""
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

    @property
    def resolved_render_size(self) -> int:
        """Return the short side, in pixels, of what the model looks at in validation and use."""
        return self.render_size or self.data.crop


class PretrainRecipe(Recipe):
    """Stage one: L1 on L → ab."""

    task: Literal["pretrain"] = "pretrain"
    """The command that runs this recipe."""
    from_scratch: bool = True
    """Without ``init``, start from an untrained generator."""
    match_saturation: bool = False
    """At the end, multiply the generator's ab so that its mean chroma on training photos is the
    truth's: more colour for nothing, and no better placed."""
    optimizer: OptimizerConfig = OptimizerConfig(
        lr=1e-3, options={"weight_decay": 0.01, "fused": True}
    )
    """The generator's optimizer."""
    freeze_batchnorm: bool = False
    """Keep the generator's BatchNorm statistics as they are."""
    budget: BudgetConfig = BudgetConfig(epochs=30)
    """How long to train."""

    @model_validator(mode="after")
    def _last_weights(self) -> PretrainRecipe:
        if self.match_saturation and self.selection.export:
            raise ValueError("match_saturation fits the last weights; leave selection.export off")
        return self


class GanRecipe(Recipe):
    """Stage two: L1 and an adversarial loss."""

    task: Literal["train-gan"] = "train-gan"
    """The command that runs this recipe."""
    from_scratch: bool = False
    """Without ``init``, start from an untrained generator."""
    adversarial: str = "hinge"
    """Adversarial loss; ``pix2color.losses.ADVERSARIAL`` lists them."""
    reconstruction: Losses = {"l1": 60.0}
    """Weight of each loss on ab beside the adversarial one; that of L1 is known as λ."""
    feature_matching: Annotated[float, BeforeValidator(_no_bool), Field(ge=0)] = 0.0
    """Weight of the distance between what the discriminator's layers make of real and of predicted
    colours (Wang et al. 2018, pix2pixHD)."""
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
