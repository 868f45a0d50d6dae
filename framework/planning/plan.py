"""From an experiment to its stages: what has to be trained and tested, in order, and what is there already.

The walk: every cell of the grid needs the language stages of its source and target languages, one task
stage per seed that stands on the sources' language components, and for one evaluation per seed that stands on all.
A stage's identity hashes what determines its result, so stages that several cells or experiments need are one.
"""

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from framework.config.load import read_experiment
from framework.config.schema import (
    Components,
    Experiment,
    LanguageStageConfig,
    PretrainConfig,
    TaskStageConfig,
    combination_name,
)
from framework.identity import LENGTH, identity, plain
from framework.results.metrics import metrics_of
from framework.results.run_folder import Control, RunFolder
from framework.store.backbone_choice import BackboneChoice
from framework.store.formula import Formula, Terms, is_language, merged_identity, merged_title, parse, seed_of
from framework.store.store import Store
from framework.system.atomic_files import require_folder
from modules import BackboneInfo, ComponentConfig, trained_parameters
from modules.components import FullConfig


@dataclass(frozen=True)
class Stage:
    """One step of the plan."""

    kind: ClassVar[str]

    id: str
    title: str
    experiment: Experiment
    backbone: BackboneChoice
    needs: tuple[str, ...]
    """Identities of the stages whose components it loads."""


@dataclass(frozen=True)
class LanguageStage(Stage):
    """Trains language components (or, as pretraining, the backbone) on text of some languages."""

    kind = "language"

    settings: LanguageStageConfig | PretrainConfig
    components: Components
    languages: list[str]
    parameters: int
    """Trained parameters; where a vocabulary is reduced at most so many, for only reading the text tells."""
    data: list[str]
    """Fingerprints of the text."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return self.settings.training.steps

    @property
    def reduces_vocabulary(self) -> bool:
        """Whether the tokens that the text does not hold are dropped before the training, which is a pretraining."""
        return isinstance(self.settings, PretrainConfig) and self.settings.reduce_vocabulary


@dataclass(frozen=True)
class PretrainStage(LanguageStage):
    """Trains the backbone itself."""

    kind = "pretrain"

    settings: PretrainConfig


S = TypeVar("S", bound=Stage)
C = TypeVar("C", bound=LanguageStageConfig | PretrainConfig | TaskStageConfig)


@dataclass(frozen=True)
class TaskStage(Stage):
    """Trains task components and the head on the source languages, language components frozen."""

    kind = "task"

    settings: TaskStageConfig
    seed: int
    language_components: dict[str, tuple[str, ...]]
    """Source language -> identities of the language stages whose components act, frozen."""
    parameters: int
    labels: tuple[str, ...]
    """The classes."""
    data: list[str]
    """Fingerprints of the labelled data."""

    @property
    def trains(self) -> bool:
        """Whether there is something to train; else it only says how the task is answered, and is no step of a plan."""
        return self.parameters > 0

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        assert self.settings.training is not None
        return self.settings.training.steps


@dataclass(frozen=True)
class MergeStage(Stage):
    """Sums components into one that serves in place of a trained one."""

    kind = "merge"

    role: str
    terms: Terms
    languages: list[str]
    """The language that the sum serves; that of the source for a task's."""
    shown: str
    """The formula."""


@dataclass(frozen=True)
class Test:
    """One language tested with one choice of language components."""

    language: str
    control: Control
    component_language: str
    """The language whose components act; empty for none."""
    data: str
    """Fingerprint of the test data."""
    identity: str

    @property
    def place(self) -> tuple[Control, str]:
        """Control and language: where its result lies in a run's folder."""
        return self.control, self.language


@dataclass(frozen=True)
class EvaluateStage(Stage):
    """Tests one run: every target language with its own language components, and the controls."""

    kind = "evaluate"

    seed: int
    task: TaskStage
    language_components: dict[str, tuple[str, ...]]
    tests: tuple[Test, ...]
    recipe: str
    """Hash of what determines the results, the seed left out: runs of one recipe are averaged over seeds."""
    folder: RunFolder

    @property
    def missing(self) -> list[Test]:
        """Tests whose results are not there yet."""
        return [test for test in self.tests if not self.folder.has(*test.place, test.identity)]


@dataclass(frozen=True)
class Plan:
    """All stages of an experiment, in an order in which each finds what it needs."""

    experiments: list[Experiment]
    """The cells of the grid."""
    stages: list[Stage]
    store: Store

    @property
    def shared(self) -> Experiment:
        """The first cell: its name, folders, trainer, SLURM settings and tracking are those of the whole plan."""
        return self.experiments[0]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.shared.name

    @property
    def folder(self) -> Path:
        """Where the runs' results lie."""
        return Path(self.shared.runs) / self.name

    @cached_property
    def done(self) -> frozenset[str]:
        """Identities of the stages that were done when this was first asked."""
        return frozenset(stage.id for stage in self.stages if self.is_done(stage))

    @property
    def pulled(self) -> dict[str, list[str]]:
        """Identities of the components that came from elsewhere, by where that was."""
        used = dict.fromkeys(part for stage in self.stages for part in (*stage.needs, stage.id))
        found: dict[str, list[str]] = {}
        for passport in (self.store.passport(part) for part in used if self.store.has(part)):
            if passport.pulled_from:
                found.setdefault(passport.pulled_from, []).append(passport.id)
        return found

    @property
    def idle_seeds(self) -> dict[str, list[int]]:
        """By label of the combination the seeds that make no run of their own, for nothing is drawn with them."""
        planned: dict[str, set[int]] = {}
        for run in self.of_type(EvaluateStage):
            planned.setdefault(run.experiment.label, set()).add(run.seed)
        seeds = {experiment.label: experiment.seeds for experiment in self.experiments}
        idle = {label: [seed for seed in seeds[label] if seed not in made] for label, made in planned.items()}
        return {label: left_out for label, left_out in idle.items() if left_out}

    @property
    def todo(self) -> list[Stage]:
        """The stages that are left, in order."""
        return [stage for stage in self.stages if stage.id not in self.done]

    def of_type(self, type_: type[S]) -> list[S]:
        """Returns the stages of one type; a pretraining is not a language stage here."""
        return [stage for stage in self.stages if isinstance(stage, type_) and stage.kind == type_.kind]

    def is_done(self, stage: Stage) -> bool:
        """Says whether a stage's outcome is there now."""
        if isinstance(stage, EvaluateStage):
            return (stage.folder.path / "run.json").is_file() and not stage.missing
        return self.store.has(stage.id)


def plan_experiment(file: Path, overrides: list[str], *, here: bool = True) -> Plan:
    """Reads, checks and plans an experiment; see `read_experiment` for the arguments.

    Raises:
        UserError: The experiment has mistakes, or a file is where its store or runs should be.
    """
    plan = make_plan(read_experiment(file, overrides, here=here))
    require_folder(plan.store.folder, "store")
    require_folder(plan.folder, "runs")
    return plan


def make_plan(experiments: list[Experiment]) -> Plan:
    """Plans checked experiments, the cells of one grid; stages that several of them share are in the plan once."""
    stages: dict[str, Stage] = {}
    store = Store(Path(experiments[0].store))
    for experiment in experiments:
        for stage in _CellPlanner(experiment, store).stages():
            stages.setdefault(stage.id, stage)
    order = ("pretrain", "language", "merge language", "task", "merge task", "evaluate")
    ordered = sorted(stages.values(), key=lambda stage: order.index(_stage_order(stage)))
    return Plan(experiments, ordered, store)


def _stage_order(stage: Stage) -> str:
    return f"merge {stage.role}" if isinstance(stage, MergeStage) else stage.kind


class _CellPlanner:
    """Plans the stages of one cell of the grid."""

    def __init__(self, experiment: Experiment, store: Store) -> None:
        self.experiment = experiment
        self.store = store
        self.backbone = BackboneChoice.of(experiment.backbone, experiment.trainer.accelerator)
        self.components: dict[str, tuple[str, ...]] = {}
        """Language -> identities of the stages whose components act on it."""

    def stages(self) -> Iterator[Stage]:
        """Yields the stages, each after those that it needs."""
        experiment, pretrain = self.experiment, self.experiment.pretrain
        if pretrain is not None:
            full: Components = {FullConfig.kind: FullConfig()}
            stage = self._language_stage(PretrainStage, pretrain, full, pretrain.languages, "backbone")
            yield stage
            self.backbone = dataclasses.replace(self.backbone, pretrained_by=stage.id)
        for language in experiment.component_languages:
            self.components[language], stages = self._language_components(language)
            yield from stages
        if experiment.data is None:
            return
        for task in self._distinct([self._task_stage(seed) for seed in experiment.seeds]):
            if task.trains and experiment.reuse.task is not None:
                task, stages = self._reused_task(task, experiment.reuse.task)
                yield from stages
            elif task.trains:
                yield task
            yield self._evaluate_stage(task)

    @property
    def _pretraining(self) -> tuple[str, ...]:
        """The identity of the stage that pretrained the backbone, if one did."""
        return (self.backbone.pretrained_by,) if self.backbone.pretrained_by else ()

    def _distinct(self, tasks: list[TaskStage]) -> list[TaskStage]:
        """Leaves out seeds that draw nothing: their runs would be one result, and would pass for as many trainings."""
        experiment = self.experiment
        if tasks[0].trains:
            return tasks if experiment.reuse.task is None else tasks[:1]
        return tasks if experiment.answer.demonstration_splits(experiment.languages.source, "") else tasks[:1]

    def _language_components(self, language: str) -> tuple[tuple[str, ...], list[Stage]]:
        """Returns which components serve a language, and the stages that make them."""
        kinds = self.experiment.combination["language"]
        text = self.experiment.reuse.language.get(language)
        if text is None or not kinds:
            trained = self._language_stages(language, kinds)
            return _identities(trained), [*trained]
        formula = parse(text)
        summed = {name: self._language_stages(name, kinds) for _, name in formula.terms if is_language(name)}
        stored = {name: self.store.find(name) for _, name in formula.terms if name not in summed}
        served = {kind for passport in stored.values() for kind in passport.kinds} | {*(kinds if summed else ())}
        rest = {kind: config for kind, config in kinds.items() if kind not in served}
        trained = self._language_stages(language, rest)
        if len(rest) == len(kinds):  # this cell of the grid has other kinds
            return _identities(trained), [*trained]
        if formula.single and not summed:
            return (stored[formula.single].id, *_identities(trained)), [*trained]
        identities = {name: _identities(stages) for name, stages in summed.items()}
        identities |= {name: (passport.id,) for name, passport in stored.items()}
        merge = self._merge_stage("language", formula, identities, [language])
        return (merge.id, *_identities(trained)), [*itertools.chain(*summed.values()), merge, *trained]

    def _reused_task(self, task: TaskStage, text: str) -> tuple[TaskStage, list[Stage]]:
        """Returns a task stage that stands for components that are given, and the stages that make them."""
        formula = parse(text)
        seeds = {name: seed for _, name in formula.terms if (seed := seed_of(name)) is not None}
        trained = {name: self._task_stage(seed) for name, seed in seeds.items()}
        identities = {name: (stage.id,) for name, stage in trained.items()}
        identities |= {name: (self.store.find(name).id,) for _, name in formula.terms if name not in trained}
        if formula.single and not trained:
            return dataclasses.replace(task, id=identities[formula.single][0], needs=()), []
        merge = self._merge_stage("task", formula, identities, self.experiment.languages.source)
        return dataclasses.replace(task, id=merge.id, needs=(merge.id,)), [*trained.values(), merge]

    def _merge_stage(
        self, role: str, formula: Formula, identities: Mapping[str, tuple[str, ...]], languages: list[str]
    ) -> MergeStage:
        """Plans a sum, given which components each of its names stands for."""
        terms = [(weight, identities[name]) for weight, name in formula.terms]
        return MergeStage(
            id=merged_identity(terms, languages),
            title=merged_title(self.experiment.combination[role], formula.text, languages),
            experiment=self.experiment,
            backbone=self.backbone,
            needs=tuple(part for _, parts in terms for part in parts),
            role=role,
            terms=terms,
            languages=languages,
            shown=formula.text,
        )

    def _language_stages(self, language: str, components: Components) -> list[LanguageStage]:
        settings = self.experiment.stages.language
        if settings is None or not components or language in settings.objective.languages_without_components:
            return []
        groups = [components] if settings.jointly else [{kind: config} for kind, config in components.items()]
        titles = [" + ".join(itertools.starmap(describe, group.items())) for group in groups]
        return [
            self._language_stage(LanguageStage, settings, group, [language], title)
            for group, title in zip(groups, titles, strict=True)
        ]

    def _language_stage(
        self,
        stage_type: type[LanguageStage],
        settings: LanguageStageConfig | PretrainConfig,
        components: Components,
        languages: list[str],
        title: str,
    ) -> LanguageStage:
        data = settings.objective.fingerprints(languages)
        settings = _for_kinds(settings, components)
        return stage_type(
            id=identity(
                stage=stage_type.kind,
                backbone=self.backbone.identity_fields,
                components=components,
                languages=languages,
                data=data,
                **_language_recipe(settings),
            ),
            title=f"{title} · {', '.join(languages)}",
            experiment=self.experiment,
            backbone=self.backbone,
            needs=self._pretraining,
            settings=settings,
            components=components,
            languages=languages,
            parameters=_count(components, self.backbone.info, with_lm_head=settings.objective.needs_lm_head),
            data=data,
        )

    def _task_stage(self, seed: int) -> TaskStage:
        experiment, info = self.experiment, self.backbone.info
        assert experiment.stages.task is not None
        dataset, answer, components = experiment.dataset, experiment.answer, experiment.combination["task"]
        of_head = answer.parameters(dataset.labels, info)
        settings = _for_kinds(experiment.stages.task, [*components, *(["head"] if of_head else [])])
        parameters = _count(components, info) + of_head
        used = {language: self.components[language] for language in experiment.languages.source} if parameters else {}
        data = [dataset.fingerprint(language, split) for language in used for split in ("train", "validation")]
        return TaskStage(
            id=identity(
                stage="task",
                backbone=self.backbone.identity_fields,
                components=components,
                language_components=used,
                data=data,
                text=_text_recipe(experiment),
                settings=_task_recipe(settings) if parameters else None,
                answer=answer.recipe,
                labels=dataset.labels,
                seed=seed,
            ),
            title=f"{combination_name({'language': {}, 'task': components})} · seed {seed}",
            experiment=experiment,
            backbone=self.backbone,
            needs=(*self._pretraining, *itertools.chain(*used.values())),
            settings=settings,
            seed=seed,
            language_components=used,
            parameters=parameters,
            labels=dataset.labels,
            data=data,
        )

    def _evaluate_stage(self, task: TaskStage) -> EvaluateStage:
        experiment = self.experiment
        settings, kinds = experiment.stages.language, experiment.combination["language"]
        language_stage = None
        if settings and kinds:
            language_stage = [settings.jointly, _language_recipe(_for_kinds(settings, kinds))]
        recipe = identity(
            task=[
                experiment.combination["task"],
                _task_recipe(task.settings),
                task.data,
                _text_recipe(experiment),
                experiment.answer.recipe,
                task.labels,
            ],
            translated=_translation(experiment),
            shown=_shown(experiment, ""),
            backbone=self.backbone.identity_fields,
            language=kinds,
            language_stage=language_stage,
            **self._reuse_recipe(task),
        )
        run = identity(recipe=recipe, seed=task.seed)
        folder = Path(experiment.runs) / experiment.name / f"{_slug(experiment.label)}-seed{task.seed}-{run[:8]}"
        # A task stage that trains stands on the pretraining itself.
        of_task = (task.id,) if task.trains else self._pretraining
        tests = tuple(self._tests(task))
        return EvaluateStage(
            id=run,
            title=f"{experiment.label} · seed {task.seed}",
            experiment=experiment,
            backbone=self.backbone,
            needs=tuple(dict.fromkeys([*of_task, *itertools.chain(*self.components.values())])),
            seed=task.seed,
            task=task,
            language_components=self.components,
            tests=tests,
            recipe=recipe,
            folder=RunFolder(folder, {test.place: test.identity for test in tests}),
        )

    def _reuse_recipe(self, task: TaskStage) -> dict[str, Any]:
        """Returns what is reused, under the key's former name; nothing if all is trained, so that identities stay."""
        reuse, components = self.experiment.reuse, self.components
        languages = {code: components[code] for code in reuse.language if components.get(code)}
        given = {"language": languages, "task": task.id if reuse.task and task.trains else None}
        return {"given": given} if any(given.values()) else {}

    def _tests(self, task: TaskStage) -> Iterator[Test]:
        """Yields each target with its own components and, where it has some, the controls."""
        experiment, components = self.experiment, self.components
        dataset, targets, translation = experiment.dataset, experiment.targets, _translation(experiment)
        metrics = [*metrics_of(dataset.task, dataset.positive), *sorted(experiment.stages.evaluate.metrics)]
        donors = sorted(language for language in targets if components.get(language))
        for language in targets:
            data = dataset.fingerprint(language, "test")
            # A translation is in the source language, and so its components act.
            own = translation[1] if translation else language
            acting: dict[Control, str] = {"own": own if components[own] else ""}
            if components[own]:
                # The next target by its code lends its components: chosen by no score, nor by the order in a YAML.
                donor = donors[(donors.index(language) + 1) % len(donors)] if not translation else own
                borrowed: dict[Control, str] = {"none": "", "wrong": donor}
                controls = experiment.stages.evaluate.controls
                acting |= {control: borrowed[control] for control in controls if borrowed[control] != own}
            for control, component_language in acting.items():
                test = identity(
                    task=task.id,
                    components=components.get(component_language, ()),
                    data=data,
                    text=_text_recipe(experiment),
                    translated=translation,
                    shown=_shown(experiment, language),
                    metrics=[metrics, dataset.positive],
                )
                yield Test(language, control, component_language, data, test)


def _identities(stages: Iterable[Stage]) -> tuple[str, ...]:
    return tuple(stage.id for stage in stages)


def _language_recipe(settings: LanguageStageConfig | PretrainConfig) -> dict[str, Any]:
    """Returns what determines a language component beside its language, its text and its backbone."""
    return {
        "objective": settings.objective.recipe,
        "training": settings.training,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "reduce_vocabulary": getattr(settings, "reduce_vocabulary", False),
    }


def _translation(experiment: Experiment) -> tuple[dict[str, str], str] | None:
    """Returns the columns of translations and the language that they are in; None where the texts are tested."""
    assert experiment.data is not None
    translated = experiment.data.translated
    return (translated, experiment.languages.source[0]) if translated else None


def _shown(experiment: Experiment, language: str) -> list[str]:
    """Names the content of what stands before texts in a language; for no language, what stands before all."""
    reads = experiment.answer.demonstration_splits(experiment.languages.source, language)
    return [experiment.dataset.fingerprint(code, split) for code, split in reads if code]


def _task_recipe(settings: TaskStageConfig) -> Any:
    """Returns how a task stage is trained, without how it answers."""
    return dataclasses.replace(settings, answer=None)


def _text_recipe(experiment: Experiment) -> dict[str, Any]:
    """Returns what of the data's settings determines rows and tokens; fingerprints name the content of the splits."""
    assert experiment.data is not None
    settings = plain(experiment.data)
    cutting = ("name", "text_prefix", "max_length", "train_max_length", "stride")
    skipping = {"bad_rows": "skip"} if experiment.data.bad_rows == "skip" else {}
    return {key: settings[key] for key in cutting if key in settings} | skipping


def _for_kinds(settings: C, kinds: Collection[str]) -> C:
    """Leaves out what is set for kinds that a stage does not train: it is for other cells of the grid."""
    if settings.training is None:
        return settings
    training = dataclasses.replace(
        settings.training,
        learning_rates={kind: rate for kind, rate in settings.training.learning_rates.items() if kind in kinds},
        optimizers={kind: one for kind, one in settings.training.optimizers.items() if kind in kinds},
    )
    return dataclasses.replace(settings, training=training)


def _count(components: Components, info: BackboneInfo, *, with_lm_head: bool = False) -> int:
    return sum(trained_parameters(kind, config, info, with_lm_head=with_lm_head) for kind, config in components.items())


def describe(kind: str, config: ComponentConfig) -> str:
    """Names a component with the settings that differ from its defaults: `adapter reduction_factor=4`."""
    defaults = plain(type(config)())
    changed = [f"{key}={value}" for key, value in plain(config).items() if value != defaults[key]]
    return " ".join([kind, *changed])


def _slug(label: str) -> str:
    words = "".join(letter if letter.isalnum() or letter in "=.-" else " " for letter in label)
    return "-".join(words.split())[: 80 - LENGTH]
