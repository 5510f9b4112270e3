"""Recipes: everything that decides a training run, typed, with its default and its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from pix2color.config.sections import (
    BudgetConfig,
    CheckpointConfig,
    Count,
    DataConfig,
    DiscriminatorConfig,
    Few,
    FilmConfig,
    FolderName,
    HintsConfig,
    LossWeights,
    ModelConfig,
    NonNegative,
    OptimizerConfig,
    Positive,
    ScheduleConfig,
    Section,
    SelectionConfig,
    Share,
    Side,
    StartingModel,
    ValidationConfig,
    Whole,
)

CLASSIFIED = "classified"
"""Value of ``model.encoder_weights``: weights that are learnt from the photos' folders."""


class EngineConfig(Section):
    """The settings of the engine, whatever the task."""

    seed: Whole = 0
    """Fixes the first weights, the order of the photos and every random choice."""
    channels_last: bool = True
    """Memory layout; faster on CPUs and on GPUs with tensor cores."""
    compile: bool = False
    """Train the networks compiled by torch.compile (``--compile``): minutes of building, then
    faster steps on GPUs, and 3 to 6 % on a CPU."""
    accumulate: Few = 1
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
    """The settings that both stages have in common."""

    task: str
    """``pretrain`` or ``train-gan``."""
    name: FolderName | None = None
    """Name of the run's folder; by default the task and the time."""
    runs_dir: Path = Path("runs")
    """Folder of the runs' folders."""
    device: Literal["auto", "cpu"] = "auto"
    """``auto`` takes an accelerator if there is one."""
    precision: Literal["auto", "bf16", "float32"] = "auto"
    """Precision of the networks; ``auto`` is bf16 where the hardware computes in it, on a CPU only
    if the network is faster for it, which is measured at the start."""
    init: StartingModel | None = None
    """Run or model file of the generator to start from (``--init``); ``default`` is the model that
    ships with pix2color, ``./default`` a file or folder of that name."""
    from_scratch: bool
    """Without ``init``, start from an untrained generator: by default in stage one alone. Set in
    stage two it trains as pix2pix does; unset in stage one it goes on from another model."""
    init_hash: str | None = None
    """Hash of that file, filled in when training starts; another file is refused."""
    model: ModelConfig = ModelConfig()
    """The generator; with ``init`` it is that one's."""
    data: DataConfig = DataConfig()
    """Photos and batches."""
    film: FilmConfig = FilmConfig()
    """Simulation of worn black-and-white photos."""
    hints: HintsConfig = HintsConfig()
    """Simulation of hints, for networks that take some."""
    reconstruction: LossWeights = {"l1": 1.0}  # noqa: RUF012 - pydantic copies it
    """Weight of each loss on ab; ``pix2color.losses.RECONSTRUCTION`` lists them, and there are
    ``feature`` and ``teacher``. A name alone has the weight 1. Those that are given replace all."""
    render_size: Side | None = None
    """Short side, in pixels, of what the trained model looks at in use; by default
    ``data.crop``."""
    feature_weights: str = "none"
    """For the loss ``feature``: ``imagenet`` or the path of a state dict of timm's
    ``tf_efficientnet_lite0``."""
    teacher: StartingModel | None = None
    """For the loss ``teacher``: run or model file of a better generator, whose ab is imitated."""
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


class DoubtRecipe(Recipe):
    """The last stage: where the generator guesses."""

    task: Literal["train-doubt"] = "train-doubt"
    """The command that runs this recipe."""
    from_scratch: Literal[False] = False
    """The stage goes on from a trained generator."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=2e-3, options={"weight_decay": 0.01})
    """The optimizer of the head that predicts the error; nothing else learns."""
    freeze_batchnorm: Literal[True] = True
    """The generator's colours stay as they are."""
    ema: Share | None = None
    """None: this stage averages no weights."""
    budget: BudgetConfig = BudgetConfig(max_steps=600)
    """How long to train."""


class GanRecipe(Recipe):
    """Stage two: L1 and an adversarial loss."""

    task: Literal["train-gan"] = "train-gan"
    """The command that runs this recipe."""
    from_scratch: bool = False
    """Without ``init``, start from an untrained generator."""
    adversarial: str = "hinge"
    """Adversarial loss; ``pix2color.losses.ADVERSARIAL`` lists them."""
    reconstruction: LossWeights = {"l1": 60.0}  # noqa: RUF012 - pydantic copies it
    """Weight of each loss on ab beside the adversarial one; that of L1 is known as λ."""
    feature_matching: NonNegative = 0.0
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


AnyRecipe = PretrainRecipe | GanRecipe | DoubtRecipe
"""The recipe of some command that trains a generator."""
