"""The experiment schema: what a YAML may say, and what it means.

The parts stand beside the classes that they configure; this file composes them. `read_experiments` gives one
`Experiment` per cell of the grid, or raises one error that holds every mistake.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from datamodules import DataError, DatasetConfig, LabelledDataset, Task, dataset_class, labelled_dataset
from framework.answers import ANSWERS, Answer, default_answer
from framework.config.registry import named
from framework.config.slurm import SlurmConfig
from framework.config.tracking import TrackingConfig
from framework.config.yaml_file import Cell, Source, dotted, read
from framework.errors import ExperimentError, Mistake, UserError, did_you_mean
from framework.objectives import OBJECTIVES, LanguageModelingObjective
from framework.system.documents import Key
from framework.validation import MOST, Problem, belongs, validate
from modules import (
    ROLES,
    Accelerator,
    BackboneConfig,
    ModulesError,
    OptimizationConfig,
    component_class,
    inspect_backbone,
)

SCHEMA = ConfigDict(extra="forbid")

SectionReader = Callable[[Any, Any, Key], tuple[Any, list[Problem]]]
"""Turns the type, the data and the key of a section into the typed section and what is wrong with it."""

LARGEST_BATCH = 2**14
"""Most rows of a batch; ten times as many are a slip of the hand that no machine has the memory for."""

RUNS = 1_000
"""Most runs of one experiment."""

COMBINATION_KEYS = ("combination", "combination.language", "combination.task")
"""Grid keys that a combination's name tells already."""


@dataclass(frozen=True, config=SCHEMA)
class LanguagesConfig:
    """Which languages the task is learnt in and tested on, as FLORES codes."""

    targets: list[str]
    """Languages to test on; `[all]` are those of the dataset."""
    source: list[str] = dataclasses.field(default_factory=list)
    """Languages whose labelled text trains the task components; several are mixed."""


@dataclass(frozen=True, config=SCHEMA)
class PretrainConfig:
    """A language stage that trains the whole backbone before anything else, on several languages together."""

    languages: list[str]
    """Languages of the text, mixed."""
    objective: Any
    """As in `stages.language.objective`."""
    training: OptimizationConfig
    """Steps, optimiser and schedule."""
    batch_size: int = Field(default=32, ge=1, le=LARGEST_BATCH)
    """Rows a step, over all devices."""
    seed: int = 0
    """Draws the order of the text and the dropout."""
    reduce_vocabulary: bool = False
    """Drop the tokens that the text does not hold before the training; they become the unknown token for good."""


@dataclass(frozen=True, config=SCHEMA)
class LanguageStageConfig:
    """How the components of one language are trained."""

    objective: Any
    """One objective and its settings, such as `{alignment: {...}}` or `{masked: {...}}`."""
    training: OptimizationConfig
    """Steps, optimiser and schedule."""
    batch_size: int = Field(default=16, ge=1, le=LARGEST_BATCH)
    """Rows a step, over all devices."""
    jointly: bool = False
    """Train all language components of a combination together; else each alone, reusable by other combinations."""
    seed: int = 0
    """Draws the components and the order of the text. It is not the run's seed: every run shares the components."""


@dataclass(frozen=True, config=SCHEMA)
class TaskStageConfig:
    """How the task components and the head are trained on the source languages."""

    training: OptimizationConfig | None = None
    """Steps, optimiser and schedule; nothing where nothing is trained."""
    batch_size: int = Field(default=16, ge=1, le=LARGEST_BATCH)
    """Rows a step, over all devices."""
    answer: Any = None
    """One way to answer and its settings, such as `{label_words: {...}}`; the task's head without it."""
    k_shot: int | None = None
    """Examples per class and source language, drawn with the run's seed; null takes all."""
    validate_every: int | None = None
    """Steps between looks at the source languages' validation split; null looks once, at the end."""
    choose: Literal["best", "last", "average"] = "best"
    """`best` keeps the step with the highest score on the source languages' validation split, `average` the mean of the
    weights at the steps that are validated (checkpoint averaging: Popel and Bojar, 2018; Izmailov et al., 2018)."""
    average_last: int | None = None
    """How many of the validated steps, up to the last, `average` takes the mean of; null takes all."""

    def __post_init__(self) -> None:
        """Checks that the numbers can be meant."""
        if self.k_shot is not None and self.k_shot < 1:
            raise ValueError("k_shot must be at least 1")
        if self.validate_every is not None and self.validate_every < 1:
            raise ValueError("validate_every must be at least 1")
        if self.choose == "average" and self.validate_every is None:
            raise ValueError("validate_every must be set: choose: average takes the mean over the validated steps")
        if self.average_last is not None:
            self._check_average_last(self.average_last)

    def _check_average_last(self, last: int) -> None:
        if self.choose != "average":
            raise ValueError(f"average_last has no use with choose: {self.choose}; write choose: average")
        if last < 1:
            raise ValueError("average_last must be at least 1")
        if self.training is not None and self.validate_every is not None:
            validated = self.training.steps // min(self.validate_every, self.training.steps)
            if last > validated:
                raise ValueError(f"average_last must be at most {validated}: no more steps are validated")


@dataclass(frozen=True, config=SCHEMA)
class EvaluateStageConfig:
    """How the targets are tested."""

    batch_size: int = Field(default=64, ge=1, le=LARGEST_BATCH)
    """Rows a batch, over all devices."""
    controls: list[Literal["none", "wrong"]] = dataclasses.field(default_factory=lambda: ["none", "wrong"])
    """Tests beside the targets' own language components: without any, and with another language's."""


@dataclass(frozen=True, config=SCHEMA)
class StagesConfig:
    """The settings of each stage."""

    language: LanguageStageConfig | None = None
    task: TaskStageConfig | None = None
    evaluate: EvaluateStageConfig = EvaluateStageConfig()

    def answer_to(self, asked: Task) -> Answer:
        """Returns how a task is answered: as the task stage says, else by the task's head."""
        chosen: Answer | None = self.task.answer if self.task is not None else None
        return chosen or default_answer(asked)


@dataclass(frozen=True, config=SCHEMA)
class GivenConfig:
    """Components that are taken as they are, or made of others, instead of being trained.

    A value is the id of a component in the store, or its beginning; or a formula such as `0.5*A + 0.5*B`, whose names
    are ids, languages of the experiment (for its language components) or seeds as `seed0` (for its task components).
    """

    language: dict[str, str] = dataclasses.field(default_factory=dict)
    """By FLORES code."""
    task: str | None = None
    """One for all seeds, which then make one run."""


@dataclass(frozen=True, config=SCHEMA)
class TrainerConfig:
    """Where the work is done; nothing here changes a result's identity."""

    devices: int = 1
    """Devices of a machine; several train under DDP, one process each."""
    num_nodes: int = 1
    """Machines; each runs `devices` processes."""
    accelerator: Accelerator = "auto"
    """What the devices are; `auto` takes a GPU where there is one."""
    shard_backbone: bool = False
    """Share the frozen backbone out among the devices of a machine, for one that does not fit each of them (FSDP)."""
    num_workers: int = Field(default=0, le=256)
    """Processes that read and tokenise for each device."""
    checkpoint_every: float = 300.0
    """Seconds between checkpoints of a stage that trains; 0 makes one after each step."""

    @property
    def processes(self) -> int:
        """Processes over all machines."""
        return self.devices * self.num_nodes

    def __post_init__(self) -> None:
        """Checks that the numbers can be meant."""
        if self.devices < 1:
            raise ValueError("devices must be at least 1")
        if self.num_nodes < 1:
            raise ValueError("num_nodes must be at least 1")
        if self.checkpoint_every < 0:
            raise ValueError("checkpoint_every must not be negative")
        if self.num_workers < 0:
            raise ValueError("num_workers must not be negative")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One cell of an experiment's grid: one combination with its settings, over all its seeds."""

    name: str
    """Names the folder of its runs."""
    backbone: BackboneConfig
    combination: dict[str, dict[str, Any]]
    """For each role its components: kind -> configuration."""
    languages: LanguagesConfig
    stages: StagesConfig
    pretrain: PretrainConfig | None = None
    """Trains the backbone itself before the language stage."""
    data: DatasetConfig | None = None
    """The labelled data; without it the experiment ends with its language stage."""
    seeds: list[int] = dataclasses.field(default_factory=lambda: [0])
    """One run each; one for all where nothing is trained or drawn with them."""
    given: GivenConfig = dataclasses.field(default_factory=GivenConfig)
    """Components that are not to be trained."""
    trainer: TrainerConfig = TrainerConfig()
    slurm: SlurmConfig = SlurmConfig()
    """What `modulingua launch` asks the cluster for."""
    tracking: TrackingConfig = TrackingConfig()
    define: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Values that the file itself refers to, as `${define.name}`; nothing else reads them."""
    store: str = "store"
    """Folder of trained components, shared by experiments."""
    runs: str = "runs"
    """Folder of results."""

    @property
    def dataset(self) -> LabelledDataset:
        """The labelled data; only where the experiment has some."""
        assert self.data is not None
        return dataset_for(self.data)

    @property
    def answer(self) -> Answer:
        """How the task is answered; only where the experiment has one."""
        return self.stages.answer_to(self.dataset.task)

    @property
    def spoken(self) -> list[str]:
        """The languages whose components act: of translated targets it is the source that they are translated into."""
        translated = self.data is not None and self.data.translated
        return list(dict.fromkeys([*self.languages.source, *(self.targets if not translated else [])]))

    @property
    def targets(self) -> list[str]:
        """The languages to test on, `[all]` spelt out."""
        return list(self.dataset.languages) if self.languages.targets == ["all"] else self.languages.targets


@dataclasses.dataclass(frozen=True)
class Variant:
    """An experiment of the grid as the plan and the runs need it."""

    experiment: Experiment
    label: str
    """Names the combination on screen and in tables."""
    settings: dict[str, Any]
    """The grid's values that made it, without those of the combination."""
    data: dict[str, Any]
    """The resolved experiment as plain data, saved with each run."""


def read_experiment(
    file: Path, overrides: list[str] | None = None, *, here: bool = True, check: bool = True
) -> list[Variant]:
    """Reads and checks an experiment file.

    Args:
        file: The experiment's YAML.
        overrides: `key=value` words that win over the file.
        here: Whether it is to be carried out on this machine, which then must have the devices.
        check: Whether to look at the backbone and the data too; what a run saved of itself needs no data any more.

    Returns:
        One variant per cell of the grid, in the grid's order.

    Raises:
        ExperimentError: The experiment has mistakes; all of them are in it.
    """
    # Imported late: the checks look at data and backbones through types that this file defines.
    from framework.config.checks import check as look_at

    source = read(file, overrides)
    problems: dict[Problem, None] = {}
    experiments = []
    for cell in source.cells:
        sections, found = _sections(cell)
        sections = _for_backbone(sections)
        found += look_at(sections, here=here) if check else []
        problems.update(dict.fromkeys(found))
        if not found:
            experiments.append(Experiment(**sections))
    if problems:
        raise ExperimentError(str(file), [_mistake(source, problem) for problem in problems])
    count = sum(len(experiment.seeds) for experiment in experiments)
    if count > RUNS:
        reason = f"{count:,} runs, one for each combination and seed, are more than {RUNS:,}"
        raise ExperimentError(str(file), [Mistake("seeds", reason, source.place(("seeds",)))])
    labels = _labels(experiments, source.cells)
    return [
        Variant(experiment, label, _outside_combination(cell.settings), cell.data)
        for experiment, label, cell in zip(experiments, labels, source.cells, strict=True)
    ]


def dataset_for(data: DatasetConfig) -> LabelledDataset:
    """Opens the labelled data that a section names.

    Raises:
        DataError: There is no such dataset.
    """
    return labelled_dataset(data)


def _sections(cell: Cell) -> tuple[dict[str, Any], list[Problem]]:
    """Validates each section on its own, so that a mistake in one does not hide those in another."""
    hints = get_type_hints(Experiment)
    sections: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in dataclasses.fields(Experiment):
        data = cell.data.get(field.name)
        if data is not None:
            read_section: SectionReader = SECTIONS.get(field.name, validate)
            section, found = read_section(hints[field.name], data, (field.name,))
            unresolved = {key: reason for key, reason in cell.unresolved.items() if key[0] == field.name}
            found = [*unresolved.items(), *(problem for problem in found if not _is_below(problem[0], unresolved))]
            problems += found
            if not found:
                sections[field.name] = section
        elif field.default is not dataclasses.MISSING:
            sections[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            sections[field.name] = field.default_factory()
        else:
            problems.append(((field.name,), "is required"))
    unknown = [name for name in cell.data if name not in hints]
    for name in unknown[:MOST]:
        near = belongs(Experiment, name) or did_you_mean(name, hints)
        problems.append(((name,), f"unknown key{near} (known: {', '.join(sorted(hints))})"))
    if len(unknown) > MOST:
        problems.append(((), f"{len(unknown) - MOST:,} more keys are unknown"))
    return sections, problems


def _is_below(key: Key, others: Iterable[Key]) -> bool:
    """Says whether a key is one of the others, or stands below one."""
    return any(key[: len(other)] == other for other in others)


def _combination(type_: Any, data: Any, key: Key) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Types each component by its kind's configuration."""
    raw, problems = validate(dict[str, dict[str, dict[str, Any] | None] | None], data, key)
    typed: dict[str, dict[str, Any]] = {role: {} for role in ROLES}
    for role, components in (raw or {}).items():
        if role not in ROLES:
            reason = f"unknown role{did_you_mean(role, ROLES)} (known: {', '.join(ROLES)})"
            problems.append(((*key, role), reason))
            continue
        for kind, settings in (components or {}).items():
            if settings is None:  # `adapter: null` takes away what an extended file put there
                continue
            try:
                config_type = component_class(kind).Config
            except ModulesError as error:
                problems.append(((*key, role, kind), str(error)))
                continue
            typed[role][kind], found = validate(config_type, settings, (*key, role, kind))
            problems += found
    return typed, problems


def _data(type_: Any, data: Any, key: Key) -> tuple[DatasetConfig | None, list[Problem]]:
    """Types the section by the dataset that it names: a dataset may have settings of its own."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        section, problems = validate(DatasetConfig, data, key)
        return section, problems
    try:
        return validate(dataset_class(data["name"]).Config, data, key)
    except DataError as error:
        return None, [((*key, "name"), str(error))]


def _stages(type_: Any, data: Any, key: Key) -> tuple[StagesConfig | None, list[Problem]]:
    stages, problems = validate(type_, data, key)
    if stages is not None and stages.language is not None:
        language, found = _with_one(stages.language, "objective", OBJECTIVES, (*key, "language"))
        stages, problems = dataclasses.replace(stages, language=language), problems + found
    if stages is not None and stages.task is not None and stages.task.answer is not None:
        task, found = _with_one(stages.task, "answer", ANSWERS, (*key, "task"))
        stages, problems = dataclasses.replace(stages, task=task), problems + found
    return stages, problems


def _pretrain(type_: Any, data: Any, key: Key) -> tuple[PretrainConfig | None, list[Problem]]:
    pretrain, problems = validate(type_, data, key)
    if pretrain is None:
        return None, problems
    typed, found = _with_one(pretrain, "objective", OBJECTIVES, key)
    return typed, problems + found


def _with_one(stage: Any, field: str, known: Mapping[str, type], key: Key) -> tuple[Any, list[Problem]]:
    """Types the one thing, such as the objective, that a field of a stage names with its settings."""
    key = (*key, field)
    choice = getattr(stage, field)
    if not isinstance(choice, dict) or len(choice) != 1:
        return stage, [(key, f"must name one {field} and its settings (known: {', '.join(known)})")]
    [(name, settings)] = choice.items()
    try:
        class_: type = named(field, name, known)
    except UserError as error:
        return stage, [((*key, name), str(error))]
    typed, problems = validate(class_, settings or {}, (*key, name))
    return dataclasses.replace(stage, **{field: typed}), problems


def _for_backbone(sections: dict[str, Any]) -> dict[str, Any]:
    """Puts in the objectives that a YAML leaves to the family of the backbone, where that is known."""
    pretrain, stages = sections.get("pretrain"), sections.get("stages")
    language = stages.language if stages is not None else None
    left = [stage for stage in (pretrain, language) if _is_left_open(stage)]
    if not left or "backbone" not in sections:
        return sections
    try:
        family = inspect_backbone(sections["backbone"]).family
    except ModulesError:
        return sections  # the checks say so

    def settled(stage: Any) -> Any:
        return dataclasses.replace(stage, objective=stage.objective.of(family)) if _is_left_open(stage) else stage

    more = {} if pretrain is None else {"pretrain": settled(pretrain)}
    if stages is not None and language is not None:
        more["stages"] = dataclasses.replace(stages, language=settled(language))
    return sections | more


def _is_left_open(stage: Any) -> bool:
    return stage is not None and isinstance(stage.objective, LanguageModelingObjective)


SECTIONS: dict[str, SectionReader] = {
    "combination": _combination,
    "data": _data,
    "stages": _stages,
    "pretrain": _pretrain,
}
"""Sections whose types depend on what they name."""


def _mistake(source: Source, problem: Problem) -> Mistake:
    key, reason = problem
    return Mistake(dotted(key), reason, source.place(key))


def _outside_combination(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key.split(".")[0] != "combination"}


def _labels(experiments: list[Experiment], cells: list[Cell]) -> list[str]:
    """Names each cell by its components, and by the grid's values where components alone do not tell cells apart."""
    names = [_name(experiment) for experiment in experiments]
    varied = {key for cell in cells for key in cell.settings if key not in COMBINATION_KEYS}
    labels = []
    for name, cell in zip(names, cells, strict=True):
        extras = [f"{key.rpartition('.')[2]}={cell.settings[key]}" for key in cell.settings if key in varied]
        labels.append(" · ".join([name, *extras]) if names.count(name) > 1 else name)
    return labels


def _name(experiment: Experiment) -> str:
    if not any(experiment.combination.values()) and experiment.data is not None and experiment.answer.needs_lm_head:
        return "no components"  # and no head of ours either
    return combination_name(experiment.combination)


def combination_name(combination: dict[str, dict[str, Any]]) -> str:
    """Names a combination by what it holds: `language prompt + task adapter`, or `head only`."""
    parts = [f"{role} {kind.rpartition('.')[2]}" for role in ROLES for kind in combination[role]]
    return " + ".join(parts) or "head only"
