"""Run folders with made-up predictions, and what a comparison of them prints."""

from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console

from framework.reports.compare import Comparison
from framework.results.metrics import Task
from framework.results.metrics.own import own_metric
from framework.results.run_folder import Control, LanguageResult, Predictions, RunFolder, RunRecord

TASK_ADAPTER: dict[str, Any] = {"language": {}, "task": {"adapter": {}}}
PROMPT_AND_ADAPTER: dict[str, Any] = {"language": {"prompt": {}}, "task": {"adapter": {}}}
SIZE = 100


def make_run(
    root: Path,
    label: str = "task adapter",
    seed: int = 0,
    *,
    experiment: str = "sib",
    combination: dict[str, Any] = TASK_ADAPTER,
    dataset: str = "sib200",
    backbone: str = "xlm-roberta-base@e73636d",
    source: Sequence[str] = ("eng_Latn",),
    settings: dict[str, Any] | None = None,
    notes: Iterable[str] = (),
    task: Task = "classification",
    positive: str | None = None,
    own_metrics: dict[str, str] | None = None,
    parallel: bool = False,
    commit: str = "",
    written: dict[str, Any] | None = None,
    folder: str = "",
) -> RunFolder:
    """Makes a run without results; `written` is its experiment.yaml, `folder` tells its folder from like ones."""
    name = f"{label}-{seed}-{backbone.replace('/', '-')[:9]}-{settings}-{'+'.join(source)}{folder}".replace(" ", "-")
    run = RunFolder(root / experiment / name)
    if written is not None:
        run.path.mkdir(parents=True)
        (run.path / "experiment.yaml").write_text(yaml.safe_dump(written))
    run.write_record(
        RunRecord(
            id=f"{abs(hash(run.path)):x}",
            experiment=experiment,
            label=label,
            seed=seed,
            combination=combination,
            settings=settings or {},
            backbone=backbone,
            dataset=dataset,
            source=list(source),
            notes=list(notes),
            task=task,
            positive=positive,
            own_metrics=own_metrics or {},
            parallel=parallel,
            commit=commit,
            recipe="" if written is None else f"{label} {combination} {written}",
        )
    )
    return run


def add(
    run: RunFolder,
    language: str,
    right: int,
    control: Control = "own",
    *,
    gold: Sequence[str] = ("a", "b") * (SIZE // 2),
    wrong: str = "c",
    predicted: Sequence[str] | None = None,
    ids: Iterable[str] | None = None,
    shift: int = 0,
    data: str = "",
    components: Sequence[str] = (),
) -> None:
    """Adds a result with so many right answers; the wrong ones are all at the end, or shifted from there."""
    guesses = [label if number < right else wrong for number, label in enumerate(gold)]
    if shift:
        is_right = np.roll(np.arange(len(gold)) < right, shift)
        guesses = [label if good else wrong for label, good in zip(gold, is_right, strict=True)]
    names = list(ids or (f"{number:03d}" for number in range(len(gold))))
    predictions = Predictions(names, gold, predicted or guesses, [0.5] * len(gold))
    has_components = bool(run.record.combination["language"])
    acting = {"own": language if has_components else "", "none": "", "wrong": "zul_Latn"}
    result = LanguageResult.of(
        predictions,
        task=run.record.task,
        positive=run.record.positive,
        own_metrics={name: own_metric(path) for name, path in run.record.own_metrics.items()},
        language=language,
        control=control,
        component_language=acting[control],
        identity="i",
        source=language in run.record.source,
        data=data,
        components=components,
    )
    run.write(result, predictions)


def printed(comparison: Comparison, width: int = 160) -> str:
    out = StringIO()
    comparison.print(Console(file=out, width=width, color_system=None))
    return out.getvalue()


def line(text: str, beginning: str) -> str:
    """Returns the one line that begins so, its spaces made single."""
    [found] = [" ".join(one.split()) for one in text.splitlines() if one.startswith(beginning)]
    return found


def some_result(
    predictions: Predictions,
    language: str = "hau_Latn",
    control: Control = "own",
    identity: str = "i",
    task: Task = "classification",
) -> LanguageResult:
    """What a run finds of predictions, with the language's own components."""
    return LanguageResult.of(
        predictions,
        task=task,
        language=language,
        control=control,
        component_language=language,
        identity=identity,
    )
