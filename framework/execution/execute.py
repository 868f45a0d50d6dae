"""Carries out one stage: loads its dependencies, trains or tests, and writes the outcome."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import singledispatch
from pathlib import Path
from typing import Any, TypeVar

import yaml
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor, distributed, nn
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules import RowError, TaskData, language
from datamodules.datasets.overlap import find_leak
from framework.answers import AnswerContext
from framework.errors import UserError
from framework.execution.run_integrity import answering_keys
from framework.execution.trainer import History, ProgressCallback, fit, make_trainer
from framework.identity import plain
from framework.objectives import MonolingualObjective
from framework.planning.data_check import note_on_skipped_rows
from framework.planning.notes import notes_on_data
from framework.planning.plan import EvaluateStage, LanguageStage, MergeStage, Stage, TaskStage, Test
from framework.planning.vocabulary import note_on_vocabulary
from framework.results.run_folder import LanguageResult, Predictions, RunFolder, RunRecord
from framework.store.backbone_choice import BackboneChoice
from framework.store.compatibility import answers_of
from framework.store.merging import write_sum
from framework.store.store import HEAD, KEPT_TOKENS, Passport, Store, parameter_count, part_of
from framework.system.atomic_files import write_whole
from framework.system.distributed import own_rank
from framework.system.provenance import command, commit, made, versions
from framework.system.signals import interrupted, stop_requested
from framework.tracking.live_tracker import Tracker, tracked
from framework.tracking.stage_content import about_stage, entry_of_component, entry_of_record, entry_of_run
from modules import Backbone, Combination, Component, OptimizationConfig, load_backbone
from modules.backbone.backbone import seeded
from modules.backbone.vocabulary import reduce_vocabulary, tokens_to_keep
from modules.components.base import load_state
from modules.training.task import Prediction, TaskModule

T = TypeVar("T")

LANGUAGES_AT_ONCE = 16
"""Languages tested in one pass. Their rows share batches; an interrupted run loses at most one pass."""


def execute(stage: Stage, store: Store, report: ProgressCallback, later: str = "modulingua sync") -> None:
    """Carries out a stage whose dependencies are in the store.

    `later` is the command that sends the stage to W&B later, named to the user if W&B fails.
    """
    with tracked(stage.experiment.tracking, later) as tracker:
        _execute(stage, store, report, tracker)


@singledispatch
def _execute(stage: Stage, store: Store, report: ProgressCallback, tracker: Tracker) -> None:
    raise NotImplementedError(type(stage).__name__)


@_execute.register
def train_language(stage: LanguageStage, store: Store, report: ProgressCallback, tracker: Tracker) -> None:
    """Trains language components, or the backbone itself, on text."""
    settings = stage.settings
    training = {**plain(settings), "objective": settings.objective.recipe}
    passport = _passport(stage, "language", stage.components, stage.languages, training)
    tracker.begin(lambda: entry_of_component(passport, store, about_stage(stage)))
    backbone = load_stage_backbone(stage.backbone, store, with_lm_head=settings.objective.needs_lm_head)
    notes = [settings.objective.note] if settings.objective.note else []
    if stage.reduces_vocabulary:
        report(0, "reading which tokens the text holds")
        assert isinstance(settings.objective, MonolingualObjective)  # the check of the experiment says so
        seen = settings.objective.seen_tokens(backbone.tokenizer, stage.languages)
        reduce_vocabulary(backbone, tokens_to_keep(backbone, seen))
        notes.append(note_on_vocabulary(stage, backbone))
    combination = Combination(backbone)
    only_language = stage.languages[0] if stage.kind == "language" else None
    components = _add(combination, "language", stage.components, only_language, settings.seed)
    data = text_data(stage, backbone.tokenizer, num_workers=stage.experiment.trainer.num_workers)
    module = settings.objective.module(combination, components, settings.training, settings.seed)
    history = fit(
        module, data, stage.experiment.trainer, report, tracker,
        checkpoint=store.checkpoint(stage.id), precision=backbone.precision, seed=settings.seed,
    )
    more = {KEPT_TOKENS: backbone.vocabulary.kept.cpu()} if stage.reduces_vocabulary and backbone.vocabulary else {}
    _keep(dataclasses.replace(passport, notes=notes), store, components, None, history, more)
    tracker.complete(lambda: entry_of_component(store.passport(stage.id), store, about_stage(stage)))


@_execute.register
def train_task(stage: TaskStage, store: Store, report: ProgressCallback, tracker: Tracker) -> None:
    """Trains the task components, and a head, on the source languages; language components are frozen."""
    experiment, settings = stage.experiment, stage.settings
    training = {**plain(settings), "answer": experiment.answer.recipe, "seed": stage.seed}
    passport = _passport(stage, "task", experiment.combination["task"], experiment.languages.source, training)
    passport = dataclasses.replace(
        passport, answers=answers_of(experiment.dataset, experiment.answer), notes=note_on_skipped_rows(experiment)
    )
    tracker.begin(lambda: entry_of_component(passport, store, about_stage(stage)))
    module = _task_module(stage, store, settings.training)
    backbone = module.combination.backbone
    data = stage_data(stage, backbone.tokenizer)
    for code in stage.language_components:
        add_language(stage, module.combination, code, store)
    history = fit(
        module, data, experiment.trainer, report, tracker,
        checkpoint=store.checkpoint(stage.id), precision=backbone.precision, seed=stage.seed,
        validate_every=settings.validate_every or stage.steps, choose=settings.choose,
        average_last=settings.average_last,
    )
    _keep(passport, store, module.combination.components(role="task"), module.head, history)
    tracker.complete(lambda: entry_of_component(store.passport(stage.id), store, about_stage(stage)))


@_execute.register
def merge(stage: MergeStage, store: Store, report: ProgressCallback, tracker: Tracker) -> None:
    """Sums components into one."""
    if _rank() == 0:
        passport = write_sum(store, stage.terms, stage.languages, stage.shown)
        # The passport of a sum exists only once the sum is written, which takes no time.
        tracker.begin(lambda: entry_of_component(passport, store, about_stage(stage)))
        tracker.complete(lambda: entry_of_component(passport, store, about_stage(stage)))
    report(1, stage.shown)


@_execute.register
def evaluate(stage: EvaluateStage, store: Store, report: ProgressCallback, tracker: Tracker) -> None:
    """Tests a run's combination in every language that has no result yet."""
    tracker.begin(lambda: entry_of_record(stage.folder, _record(stage, store), store))
    module = load_task(stage.task, store)
    data = stage_data(stage.task, module.combination.backbone.tokenizer)
    done = 0
    for tests in _passes(stage.missing):
        if done and any(_of_all_ranks(stop_requested())):
            raise interrupted(f"after {done} tests")
        acting = dict.fromkeys(test.component_language for test in tests if test.component_language)
        borrowed = [component for code in acting for component in add_language(stage, module.combination, code, store)]
        for control in dict.fromkeys(test.control for test in tests):
            chosen = {test.language: test for test in tests if test.control == control}
            _test(stage, module, data, chosen)
            done += len(chosen)
            report(done, f"{control}: {', '.join(chosen)}")
        for component in borrowed:
            module.combination.remove(component)
    _finish(stage, store, tracker)


def copy_identical_results(stage: EvaluateStage, runs: Iterable[EvaluateStage]) -> None:
    """Copies missing results of a run from other runs of its experiment that did the same test.

    A combination without its language components is the combination that has none, if both have the same task stage.
    One process calls this before the stage begins, so that all ranks find the same tests missing.
    """
    same: dict[str, list[tuple[RunFolder, Test]]] = defaultdict(list)
    for run in runs:
        for test in run.tests:
            same[test.identity].append((run.folder, test))
    for test in stage.missing:
        done = ((folder, twin) for folder, twin in same[test.identity] if folder.has(*twin.place, test.identity))
        for folder, twin in done:
            result = dataclasses.replace(folder.result(*twin.place), control=test.control)
            stage.folder.write(result, folder.predictions(*twin.place))
            break


def load_task(stage: TaskStage, store: Store) -> TaskModule:
    """Loads trained task components and their head; `add_language` adds language components."""
    module = _task_module(stage, store, training=None)
    if stage.trains:
        state = store.read(stage.id, stage.backbone.passport)
        for component in module.combination.components(role="task"):
            component.load_own_state(part_of(state, f"task.{component.kind}"))
        if module.head is not None:
            load_state(dict(module.head.named_parameters()), part_of(state, HEAD), where="head")
    return module


def add_language(
    stage: TaskStage | EvaluateStage, combination: Combination, code: str, store: Store
) -> list[Component]:
    """Adds the trained language components of one language, if the stage has any of it."""
    trained = stage.language_components[code]
    if not trained:
        return []
    components = _add(combination, "language", stage.experiment.combination["language"], code, seed=0)
    state: dict[str, Tensor] = {}
    for identity in trained:
        state |= store.read(identity, stage.backbone.passport)
    for component in components:
        component.load_own_state(part_of(state, f"language.{component.kind}"))
    return components


def load_stage_backbone(choice: BackboneChoice, store: Store, *, with_lm_head: bool = False) -> Backbone:
    """Loads a backbone as published, or with the weights of a pretraining stage."""
    backbone = load_backbone(choice.config, with_lm_head=with_lm_head or choice.pretrained_by is not None)
    if choice.pretrained_by is not None:
        state = store.read(choice.pretrained_by, choice.untrained.passport)
        if KEPT_TOKENS in state:
            reduce_vocabulary(backbone, state[KEPT_TOKENS])
        where = str(store.path(choice.pretrained_by))
        load_state(backbone.own_parameters(), part_of(state, "language.full"), where=where)
        if not with_lm_head:
            backbone.lm_head = None  # otherwise a stage that trains the whole backbone would train an unused head
    return backbone


def text_data(stage: LanguageStage, tokenizer: PreTrainedTokenizerBase, *, num_workers: int) -> LightningDataModule:
    """Makes the data module of a language stage, without reading data."""
    settings = stage.settings
    return settings.objective.data(
        tokenizer,
        languages=stage.languages,
        batch_size=settings.batch_size,
        seed=settings.seed,
        num_workers=num_workers,
    )


def stage_data(stage: TaskStage, tokenizer: PreTrainedTokenizerBase) -> TaskData:
    """Makes the data module of a task stage and its tests, without reading data."""
    experiment = stage.experiment
    return experiment.answer.data(
        _answer_context(stage),
        tokenizer,
        sources=experiment.languages.source,
        batch_size=stage.settings.batch_size,
        eval_batch_size=experiment.stages.evaluate.batch_size,
        seed=stage.seed,
        k_shot=stage.settings.k_shot,
        num_workers=experiment.trainer.num_workers,
    )


def _answer_context(stage: TaskStage) -> AnswerContext:
    assert stage.experiment.data is not None
    return AnswerContext(stage.experiment.data, stage.labels, stage.backbone.info)


def _task_module(stage: TaskStage, store: Store, training: OptimizationConfig | None) -> TaskModule:
    """Loads the backbone, and adds untrained task components and their head; without a training it only answers."""
    experiment = stage.experiment
    backbone = load_stage_backbone(stage.backbone, store, with_lm_head=experiment.answer.needs_lm_head)
    combination = Combination(backbone)
    components = _add(combination, "task", experiment.combination["task"], None, stage.seed)
    with seeded(stage.seed):
        return experiment.answer.module(_answer_context(stage), combination, components, training, stage.seed)


def _add(combination: Combination, role: str, configs: dict[str, Any], code: str | None, seed: int) -> list[Component]:
    """Adds untrained components of one role, for one language or all languages."""
    name = language(code).name if code else None
    return [
        combination.add(role, kind, config, language=code, language_name=name, seed=seed)
        for kind, config in configs.items()
    ]


def _passport(
    stage: LanguageStage | TaskStage, role: str, configs: dict[str, Any], languages: list[str], training: dict[str, Any]
) -> Passport:
    """Makes the passport of a stage before its training; `_keep` adds the outcome."""
    return Passport(
        id=stage.id,
        stage=stage.kind,
        title=stage.title,
        backbone=stage.backbone.passport,
        components={f"{role}.{kind}": plain(config) for kind, config in configs.items()},
        languages=languages,
        data=stage.data,
        training={**plain(training), "precision": stage.backbone.config.precision},
        parameters=stage.parameters,
        metrics={},
        needs=list(stage.needs),
        made=made(),
    )


def _keep(
    passport: Passport,
    store: Store,
    components: list[Component],
    head: nn.Module | None,
    history: History,
    more: dict[str, Tensor] | None = None,
) -> None:
    """Writes the trained components of a stage, and further tensors, to the store; the first rank does it for all."""
    if _rank() != 0:
        return
    state = {
        f"{component.role}.{component.kind}/{name}": tensor
        for component in components
        for name, tensor in component.own_state().items()
    }
    if head is not None:
        state |= {f"{HEAD}/{name}": parameter.detach().cpu() for name, parameter in head.named_parameters()}
    passport = dataclasses.replace(
        passport,
        # Counted now, because the plan cannot know the size of a reduced vocabulary.
        parameters=parameter_count(state),
        metrics={name: value for row in history for name, value in row.items() if name != "step"},  # the last of each
        made=made(),
    )
    store.write(passport, state | (more or {}), history)


def _passes(tests: list[Test]) -> Iterator[list[Test]]:
    """Groups tests so that a pass holds a limited number of languages, each with all its controls."""
    codes = list(dict.fromkeys(test.language for test in tests))
    for start in range(0, len(codes), LANGUAGES_AT_ONCE):
        some = codes[start : start + LANGUAGES_AT_ONCE]
        yield [test for test in tests if test.language in some]


def _test(stage: EvaluateStage, module: TaskModule, data: TaskData, tests: dict[str, Test]) -> None:
    """Tests some languages, each with the language components of its test, and writes their results."""
    module.language_of = lambda code: tests[code].component_language
    same = _SamePass(sorted(test.identity for test in tests.values()))
    trainer = make_trainer(stage.experiment.trainer, module.combination.backbone.precision, [same])
    # The Trainer must make the loader, because rows are distributed among ranks, which exist only then.
    data.targets = list(tests)
    own: list[Prediction] = trainer.predict(module, datamodule=data) or []  # type: ignore[assignment]
    batches = [batch for of_rank in _of_all_ranks(own) for batch in of_rank]
    if _rank() != 0:
        return
    answers = most_confident(batches)
    for code, test in tests.items():
        rows = list(data.dataset.read(code, "test"))
        gold = {row.id: data.dataset.gold(row) for row in rows if not isinstance(row, RowError)}
        if not gold:
            raise UserError(f"{data.dataset.name}: the test split of {code} holds no text")
        answered = {example: answers[code, example] for example in gold}
        predictions = Predictions(gold, gold.values(), *zip(*answered.values(), strict=True))
        result = LanguageResult.of(
            predictions,
            task=data.dataset.task,
            positive=data.dataset.positive,
            own_metrics=stage.experiment.own_metrics,
            language=code,
            control=test.control,
            component_language=test.component_language,
            identity=test.identity,
            skipped=len(rows) - len(gold),
            source=stage.task.trains and code in stage.experiment.languages.source,
            data=test.data,
            components=list(stage.language_components.get(test.component_language, ())),
        )
        stage.folder.write(result, predictions)


def most_confident(batches: list[Prediction]) -> dict[tuple[str, str], tuple[str, float]]:
    """Returns answer and confidence by language and id; of several answers the most confident."""
    answers: dict[tuple[str, str], tuple[str, float]] = {}
    for batch in batches:
        for code, example, answer, confidence in zip(
            batch["language"], batch["id"], batch["predicted"], batch["confidence"].tolist(), strict=True
        ):
            if (code, example) not in answers or confidence > answers[code, example][1]:
                answers[code, example] = answer, confidence
    return answers


class _SamePass(Callback):
    """Checks that all ranks run the same tests, because each determines by itself which are missing."""

    def __init__(self, tests: list[str]) -> None:
        self.tests = tests

    @override
    def on_predict_start(self, trainer: Trainer, module: LightningModule) -> None:
        if any(tests != self.tests for tests in _of_all_ranks(self.tests)):
            raise RuntimeError("the ranks find other results missing: the run's folder is not the same for all")


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else own_rank()


def _of_all_ranks(own: T) -> list[T]:
    """Gathers the object of each rank, in the order of the ranks."""
    if not distributed.is_initialized():
        return [own]
    gathered: list[T] = [own] * distributed.get_world_size()
    distributed.all_gather_object(gathered, own)
    return gathered


def _leaks(stage: EvaluateStage) -> list[str]:
    """Returns notes on source languages whose test texts occur in the training."""
    experiment = stage.experiment
    sources = [code for code in experiment.languages.source if code in experiment.targets]
    leaks = [find_leak(experiment.dataset, code) for code in sources]
    return [f"{leak}." for leak in leaks if leak]


def _record(stage: EvaluateStage, store: Store) -> RunRecord:
    """Makes the record of a run, without the notes."""
    experiment = stage.experiment
    assert experiment.data is not None
    passports = [store.passport(identity) for identity in stage.needs]
    return RunRecord(
        id=stage.id,
        experiment=experiment.name,
        label=experiment.label,
        seed=stage.seed,
        combination=plain(experiment.combination),
        settings={key: str(value) for key, value in experiment.grid_values.items()},
        backbone=stage.backbone.shown,
        precision=stage.backbone.config.precision,
        dataset=experiment.data.name,
        source=experiment.languages.source,
        task=experiment.dataset.task,
        positive=experiment.dataset.positive,
        own_metrics=dict(zip(experiment.own_metrics, experiment.stages.evaluate.metrics, strict=True)),
        parallel=experiment.dataset.parallel,
        labels=list(stage.task.labels),
        components={f"{passport.stage} {passport.title}": passport.id for passport in passports},
        versions=versions(),
        commit=commit(),
        command=command(),
        recipe=stage.recipe,
    )


def _finish(stage: EvaluateStage, store: Store, tracker: Tracker) -> None:
    """Writes the record and the experiment of a run whose results are complete."""
    if _rank() != 0:
        return
    experiment = stage.experiment
    needed = dict.fromkeys([*filter(None, [stage.backbone.pretrained_by]), *stage.needs])
    notes = [note for identity in needed for note in store.passport(identity).told]
    notes += [*_leaks(stage), *notes_on_data(experiment)]
    stage.folder.path.mkdir(parents=True, exist_ok=True)
    # Absolute paths, so that the run can be used from any folder; the targets, which [all] needs data for; and the
    # precision, because `auto` depends on the machine.
    folders = {"store": str(store.folder.resolve()), "runs": str(Path(experiment.runs).resolve())}
    languages = {**experiment.document["languages"], "targets": experiment.targets}
    backbone = {**experiment.document["backbone"], "precision": stage.backbone.config.precision}
    resolved = {**experiment.document, **folders, "languages": languages, "backbone": backbone}
    text = yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)
    write_whole(stage.folder.path / "experiment.yaml", text.encode())
    record = dataclasses.replace(
        _record(stage, store), notes=list(dict.fromkeys(notes)), answering=answering_keys(resolved)
    )
    stage.folder.write_record(record)
    tracker.complete(lambda: entry_of_run(stage.folder, store))
