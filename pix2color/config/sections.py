"""The sections of a recipe, such as ``data``, typed, each setting with default and meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pix2color.files import starting_model

# What is larger is no setting but a slip, and libraries fail on it in ways that tell nobody so.
_LARGEST = 1e12
_LONGEST_NAME = 255


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number, not true or false")
    return value


def _bounded(value: float) -> float:
    if value > _LARGEST:
        raise ValueError(f"should be at most {_LARGEST:g}")
    return value


def _folder_name(value: str) -> str:
    parts = re.split(r"[/\\]", value)
    if ".." in parts or value == "." or Path(value).is_absolute() or min(value, default=" ") < " ":
        raise ValueError("should be the name of a folder within runs_dir")
    if any(len(part.encode(errors="surrogateescape")) > _LONGEST_NAME for part in parts):
        raise ValueError(f"should be at most {_LONGEST_NAME} bytes long")
    return value


def _starting_model(value: Any) -> Any:
    return starting_model(value) if isinstance(value, str) else value


def _by_weight(value: Any) -> Any:
    return {value: 1.0} if isinstance(value, str) else value


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=int(_LARGEST))]
Few = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=100_000)]
Whole = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, lt=2**63)]
_Finite = Annotated[
    float, BeforeValidator(_no_bool), Field(allow_inf_nan=False), AfterValidator(_bounded)
]
Positive = Annotated[_Finite, Field(gt=0)]
NonNegative = Annotated[_Finite, Field(ge=0)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, lt=1)]
Side = Annotated[int, BeforeValidator(_no_bool), Field(ge=32, le=16_384)]
Strength = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)]
FolderName = Annotated[str, AfterValidator(_folder_name)]
StartingModel = Annotated[Path, BeforeValidator(_starting_model)]
LossWeights = Annotated[
    dict[str, NonNegative],
    BeforeValidator(_by_weight),
    Field(min_length=1),
]


class Section(BaseModel):
    """Base of all sections of a recipe: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ModelConfig(Section):
    """The choice of the generator."""

    name: str = "unet-resnet18"
    """The network; ``pix2color.models.registry.GENERATORS`` lists them."""
    encoder_weights: str = "none"
    """The encoder's first weights: ``none``, ``imagenet`` (torchvision's, downloaded), the path of
    a local state dict, or ``classified``: it learns to tell the photos' folders apart first, for
    as long as the budget."""
    options: dict[str, Any] = {}
    """Keywords of the network's builder."""


class DiscriminatorConfig(Section):
    """The discriminator, which is given L beside ab."""

    name: str = "patchgan"
    """The network; ``pix2color.models.registry.DISCRIMINATORS`` lists them."""
    options: dict[str, Any] = {}
    """Keywords of its builder, such as ``norm: batch``."""
    resolution: Literal["half", "full"] = "half"
    """Resolution of its input. Half costs a quarter and looks at twice as large a patch."""
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
    repeat: dict[str, Few] = {}
    """How often an epoch has the photos of a folder of that name, such as ``{landscape: 4}``: rare
    kinds are learnt better when they are seen more often. Others are there once."""
    batch_size: Few = 16
    """Pictures in a batch of each process."""
    crop: Side = 128
    """Side of the squares that the network is trained on, in pixels."""
    earlier_crops: dict[Count, Side] = {}
    """Another side until so many epochs are done, such as ``{10: 96}``: the first ten epochs on
    squares of 96 pixels, which cost about half of those of 128."""
    shape: Literal["crop", "squash"] = "crop"
    """Random crops of unchanged aspect, or the whole photo squashed to a square."""
    min_scale: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Smallest side of a random crop, as a share of the photo's short side."""
    flip: bool = True
    """Mirror half of the pictures."""
    min_colorfulness: NonNegative = 6.0
    """Photos below this (Hasler & Süsstrunk) count as grey and are left out of training."""
    workers: Annotated[Whole, Field(le=1024)] | None = None
    """Processes that read photos; by default up to 8 beside a GPU; on a CPU 2, or none for prepared
    photos."""

    def crop_in(self, epoch: int) -> int:
        """Return the side of the squares in an epoch, counted from 0."""
        ends = (end for end in sorted(self.earlier_crops) if epoch < end)
        return self.earlier_crops.get(next(ends, 0), self.crop)

    @property
    def largest_crop(self) -> int:
        """Return the side of the largest squares in any epoch."""
        return max([self.crop, *self.earlier_crops.values()])


class FilmConfig(Section):
    """The differences of black-and-white photos from the L of colour photos.

    The network is shown such pictures while it trains, and is to find the colours all the same.
    Effects have strengths from 0, none, to 1, a badly worn photo; ``pix2color.data.film`` simulates
    them.
    """

    share: Strength = 0.0
    """Share of the training pictures that are changed."""
    mix: Strength = 1.0
    """Film that sees red, green and blue as brighter or darker than the eye does."""
    blur: Strength = 1.0
    """An unsharp lens, or a photo of a photo."""
    vignette: Strength = 1.0
    """Dark corners."""
    tone: Strength = 1.0
    """Another gamma, and more or less contrast."""
    grain: Strength = 1.0
    """Noise as the grain of film makes it."""
    fade: Strength = 1.0
    """Lifted blacks and dull whites, as of sepia prints and sunlight."""
    jpeg: Strength = 1.0
    """Blocks of strong JPEG compression."""


class HintsConfig(Section):
    """The hints that a network which takes some is given while it trains."""

    share: Strength = 0.5
    """Share of the training pictures that have any; their number, places and sizes are random."""


class OptimizerConfig(Section):
    """The optimizer of one network."""

    name: str = "AdamW"
    """The class in ``torch.optim``, in capitals or not."""
    lr: Positive = 1e-3
    """Learning rate at the top of the schedule."""
    encoder_lr: Positive | None = None
    """The generator's encoder's, where it is trained already; by default that of the rest."""
    options: dict[str, Any] = {}
    """Further keywords of that class, such as ``betas`` or ``weight_decay``."""


class ScheduleConfig(Section):
    """The course of the learning rates over the budget."""

    name: Literal["cosine", "constant", "onecycle", "plateau"] = "cosine"
    """The course after the warm-up: down to zero along a half cosine; level; up and down; or level
    until the validation's loss no longer falls, then lower."""
    warmup_steps: Whole = 200
    """Steps of linear rise, counted from a network's own first step."""
    options: dict[str, Any] = {}
    """Keywords of torch's ``OneCycleLR`` (``pct_start`` and the two factors) or
    ``ReduceLROnPlateau`` (``factor``, ``patience``, counted in validations, …)."""


class BudgetConfig(Section):
    """The length of the training: exactly one of the three. The schedule follows it."""

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
    """Minutes between validations, by the clock (there is always one at the end)."""
    every_steps: Count | None = None
    """Steps between validations."""
    photos: Count = 100
    """At most so many photos, the same every time."""
    on_training_photos: bool = False
    """Validate on the photos that are trained on: only to see whether they are learnt by heart."""
    size: Side = 256
    """Short side and crop in pixels; 256 is what ``pix2color evaluate`` uses."""


class CheckpointConfig(Section):
    """Saving everything that ``--resume`` needs."""

    every_minutes: Positive | None = 5.0
    """Minutes between checkpoints, by the clock (there is always one at the end)."""
    every_steps: Count | None = None
    """Steps between checkpoints."""
    keep: Count = 2
    """So many newest ones stay, and the best one (``selection``)."""


class SelectionConfig(Section):
    """The choice of the best validation of a run."""

    band: tuple[Positive, Positive] | None = None
    """Colourfulness ratios among which the lowest ΔE00 is the best; null: among all."""
    export: bool = False
    """Export the best instead of the last (``train-gan --select``)."""
