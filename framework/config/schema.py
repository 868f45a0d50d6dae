"""The experiment schema: what a YAML may say, and what it means.

Settings of components, backbones, data and training stand beside the classes that they configure; those of the
experiment itself, its stages and the trainer are here.
"""

import dataclasses
from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict, Field, SkipValidation
from pydantic.dataclasses import dataclass

from datamodules import DatasetConfig, LabelledDataset, labelled_dataset
from framework.answers import Answer, default_answer
from framework.config.slurm import SlurmConfig
from framework.config.tracking import TrackingConfig
from framework.objectives import Objective
from framework.results.metrics import Metric
from framework.results.metrics.own import own_metrics
from modules import (
    ROLES,
    Accelerator,
    BackboneConfig,
    BackboneInfo,
    ComponentConfig,
    OptimizationConfig,
    inspect_backbone,
)

# Objectives and answers are validated by the class that a YAML names, in `framework.config.load`.
SCHEMA = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

Components = dict[str, ComponentConfig]
"""Components of one role: kind -> configuration."""

LARGEST_BATCH = 2**14
"""Most rows of a batch; ten times as many are a slip of the hand that no machine has the memory for."""


@dataclass(frozen=True, config=SCHEMA)
class LanguagesConfig:
    """Source and target languages of the task, as FLORES codes."""

    targets: list[str]
    """Languages to test on; `[all]` are those of the dataset."""
    source: list[str] = dataclasses.field(default_factory=list)
    """Languages whose labelled text trains the task components; several are mixed."""


@dataclass(frozen=True, config=SCHEMA)
class PretrainConfig:
    """Continued pretraining of the whole backbone on several languages, before all other stages."""

    languages: list[str]
    """Languages of the text, mixed."""
    objective: SkipValidation[Objective]
    """As in `stages.language.objective`."""
    training: OptimizationConfig
    """Steps, optimiser and schedule."""
    batch_size: int = Field(default=32, ge=1, le=LARGEST_BATCH)
    """Rows per step, over all devices."""
    seed: int = 0
    """Random seed of the order of the text and the dropout."""
    reduce_vocabulary: bool = False
    """Remove the tokens that do not occur in the text before training; they become the unknown token permanently."""


@dataclass(frozen=True, config=SCHEMA)
class LanguageStageConfig:
    """Training of the components of one language."""

    objective: SkipValidation[Objective]
    """One objective and its settings, such as `{alignment: {...}}` or `{masked: {...}}`."""
    training: OptimizationConfig
    """Steps, optimiser and schedule."""
    batch_size: int = Field(default=16, ge=1, le=LARGEST_BATCH)
    """Rows per step, over all devices."""
    jointly: bool = False
    """Train all language components of a combination together; else each alone, reusable by other combinations."""
    seed: int = 0
    """Random seed of the components and the order of the text; not the run's seed, as all runs share the components."""


@dataclass(frozen=True, config=SCHEMA)
class TaskStageConfig:
    """Training of the task components and the head on the source languages."""

    training: OptimizationConfig | None = None
    """Steps, optimiser and schedule; null if nothing is trained."""
    batch_size: int = Field(default=16, ge=1, le=LARGEST_BATCH)
    """Rows per step, over all devices."""
    answer: SkipValidation[Answer | None] = None
    """One answer type and its settings, such as `{label_words: {...}}`; null is the task's head."""
    k_shot: int | None = Field(default=None, ge=1)
    """Examples per class and source language, drawn with the run's seed; null takes all."""
    validate_every: int | None = Field(default=None, ge=1)
    """Steps between validations on the source languages' validation split; null validates once, at the end."""
    choose: Literal["best", "last", "average"] = "best"
    """`best` keeps the step with the highest score on the source languages' validation split, `last` the last step,
    `average` the mean of the weights at the validated steps (checkpoint averaging: Popel and Bojar, 2018; Izmailov et
    al., 2018)."""
    average_last: int | None = Field(default=None, ge=1)
    """Number of last validated steps that `average` takes the mean of; null takes all."""

    def __post_init__(self) -> None:
        """Validates settings that depend on each other."""
        if self.choose == "average" and self.validate_every is None:
            raise ValueError("validate_every must be set: choose: average takes the mean over the validated steps")
        if self.average_last is None:
            return
        if self.choose != "average":
            raise ValueError(f"average_last has no use with choose: {self.choose}; write choose: average")
        if self.training is not None and self.validate_every is not None:
            validated = self.training.steps // min(self.validate_every, self.training.steps)
            if self.average_last > validated:
                raise ValueError(f"average_last must be at most {validated}: no more steps are validated")


@dataclass(frozen=True, config=SCHEMA)
class EvaluateStageConfig:
    """Evaluation on the target languages."""

    batch_size: int = Field(default=64, ge=1, le=LARGEST_BATCH)
    """Rows per batch, over all devices."""
    controls: list[Literal["none", "wrong"]] = dataclasses.field(default_factory=lambda: ["none", "wrong"])
    """Additional tests of the targets: without language components, and with another language's."""
    metrics: list[str] = dataclasses.field(default_factory=list)
    """Metrics of your own beside those of the task: dotted paths such as `my_metrics.Kappa`."""


@dataclass(frozen=True, config=SCHEMA)
class StagesConfig:
    """The settings of each stage."""

    language: LanguageStageConfig | None = None
    task: TaskStageConfig | None = None
    evaluate: EvaluateStageConfig = EvaluateStageConfig()


@dataclass(frozen=True, config=SCHEMA)
class ReuseConfig:
    """Existing components, or sums of them, that are used instead of training new ones.

    A value is the id of a component in the store, or its beginning; or a formula such as `0.5*A + 0.5*B`, whose names
    are ids, languages of the experiment (for its language components) or seeds as `seed0` (for its task components).
    """

    language: dict[str, str] = dataclasses.field(default_factory=dict)
    """By FLORES code."""
    task: str | None = None
    """One for all seeds, which then give one run."""


@dataclass(frozen=True, config=SCHEMA)
class TrainerConfig:
    """Devices, processes and checkpoints; nothing here changes a result's identity."""

    devices: int = Field(default=1, ge=1)
    """Devices per machine; several train under DDP, one process each."""
    num_nodes: int = Field(default=1, ge=1)
    """Machines; each runs `devices` processes."""
    accelerator: Accelerator = "auto"
    """Type of the devices; `auto` takes a GPU if there is one."""
    shard_backbone: bool = False
    """Shard the frozen backbone over the devices of a machine, if it does not fit on one of them (FSDP)."""
    num_workers: int = Field(default=0, ge=0, le=256)
    """Data-loading processes per device."""
    checkpoint_every: float = Field(default=300.0, ge=0)
    """Seconds between checkpoints of a training stage; 0 makes one after each step."""

    @property
    def processes(self) -> int:
        """Processes over all machines."""
        return self.devices * self.num_nodes


@dataclasses.dataclass(frozen=True)
class Sections:
    """The sections of an experiment's YAML, and what follows from them."""

    name: str
    """Name of the experiment and of the folder of its runs."""
    backbone: BackboneConfig
    combination: dict[str, Components]
    """The components of each role."""
    languages: LanguagesConfig
    stages: StagesConfig
    pretrain: PretrainConfig | None = None
    """Trains the backbone itself before the language stage."""
    data: DatasetConfig | None = None
    """The labelled data; without it the experiment ends with its language stage."""
    seeds: list[int] = dataclasses.field(default_factory=lambda: [0])
    """One run per seed; a single run if nothing is trained or drawn at random."""
    reuse: ReuseConfig = dataclasses.field(default_factory=ReuseConfig)
    """Existing components to use instead of training them."""
    trainer: TrainerConfig = TrainerConfig()
    slurm: SlurmConfig = SlurmConfig()
    """What `modulingua launch` requests from the cluster."""
    tracking: TrackingConfig = TrackingConfig()
    define: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Values that the file itself refers to, as `${define.name}`."""
    store: str = "store"
    """Folder of trained components, shared by experiments."""
    runs: str = "runs"
    """Folder of results."""

    @cached_property
    def info(self) -> BackboneInfo:
        """What is known of the backbone."""
        return inspect_backbone(self.backbone)

    @cached_property
    def dataset(self) -> LabelledDataset:
        """The labelled data; only where the experiment has some."""
        assert self.data is not None
        return labelled_dataset(self.data)

    @cached_property
    def answer(self) -> Answer:
        """How the task is answered; only where the experiment has one. The default is the task's head."""
        chosen = self.stages.task.answer if self.stages.task is not None else None
        return chosen or default_answer(self.dataset.task)

    @property
    def trains(self) -> bool:
        """Whether a task stage has something to train; only where there is labelled data."""
        return bool(self.combination["task"]) or self.answer.parameters(self.dataset.labels, self.info) > 0

    @property
    def targets(self) -> list[str]:
        """The languages to test on, `[all]` spelt out."""
        return list(self.dataset.languages) if self.languages.targets == ["all"] else self.languages.targets

    @property
    def own_metrics(self) -> dict[str, Metric]:
        """The metrics of the user's own, by their names."""
        return own_metrics(self.stages.evaluate.metrics)

    @property
    def component_languages(self) -> list[str]:
        """The languages whose components act: of translated targets it is the source that they are translated into."""
        translated = self.data is not None and self.data.translated
        return list(dict.fromkeys([*self.languages.source, *(self.targets if not translated else [])]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment(Sections):
    """One combination with its settings, over all its seeds: a YAML without a grid, or one cell of its grid."""

    label: str
    """Names the combination on screen and in tables."""
    grid_values: dict[str, Any]
    """The grid's values that made it, without those of the combination."""
    document: dict[str, Any]
    """The resolved YAML as plain data, saved with each run."""


def combination_name(combination: dict[str, Components]) -> str:
    """Names a combination by what it holds: `language prompt + task adapter`, or `head only`."""
    parts = [f"{role} {kind.rpartition('.')[2]}" for role in ROLES for kind in combination[role]]
    return " + ".join(parts) or "head only"
