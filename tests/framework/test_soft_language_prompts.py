"""The shipped experiments of Soft Language Prompts, on stand-ins for their data: rows of the same columns."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from datamodules import dataset_class
from framework.execution.runner import run_experiment
from framework.planning.plan import LanguageStage, TaskStage, plan_experiment
from tests.framework.identities import check_identities, with_zero_weights
from tests.framework.test_experiments import EXPERIMENTS
from tests.framework.tiny import ROOT, outcome, runs, write_rows
from tests.modules import tiny

FOLDER = EXPERIMENTS / "soft_language_prompts"
DATA = {"nli": "xnli", "ner": "wikiann", "qa": "xquad", "check-worthiness": "table"}
SOURCES = ("eng_Latn", "deu_Latn", "spa_Latn", "arb_Arab", "rus_Cyrl", "zho_Hans")
TARGETS = ("bul_Cyrl", "ces_Latn", "ell_Grek", "mal_Mlym", "ron_Latn", "slk_Latn", "slv_Latn", "swh_Latn", "tel_Telu")
LANGUAGES = (*SOURCES, *TARGETS, "urd_Arab")
ROWS = 40


def text(draw: random.Random, words: int = 8) -> str:
    return " ".join(draw.choices(tiny.WORDS, k=words))


def row(dataset: str, draw: random.Random, number: int) -> dict[str, Any]:
    context = text(draw)
    if dataset == "xnli":
        return {"premise": context, "hypothesis": text(draw, 3), "label": number % 3}
    if dataset == "wikiann":
        return {"tokens": context.split(), "ner_tags": [0, 1, 2, 0, 3, 0, 5, 6]}
    answers = {"text": [context.split()[0]], "answer_start": [0]}
    return {"id": f"{number}-{draw.random()}", "context": context, "question": text(draw, 3), "answers": answers}


def write_hub(folder: Path, dataset: str) -> None:
    """Writes a dataset of the hub in its layout, for the languages of the paper that it has."""
    class_ = dataset_class(dataset)
    for code in set(LANGUAGES) & set(class_.configs):
        for split in set(class_.splits.values()):
            draw = random.Random(f"{code} {split}")
            rows = [row(dataset, draw, number) for number in range(ROWS)]
            write_rows(folder / class_.configs[code] / f"{split}.parquet", rows)


def write_claims(folder: Path) -> None:
    for code in LANGUAGES:
        (folder / code).mkdir(parents=True)
        for split in ("train", "validation", "test"):
            draw = random.Random(f"{code} {split}")
            with (folder / code / f"{split}.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["text", "label"])
                writer.writerows([text(draw), ["Checkworthy", "Not checkworthy"][n % 2]] for n in range(ROWS))


@pytest.fixture(scope="module")
def shared_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny mT5, and stand-ins for all data."""
    folder = tmp_path_factory.mktemp("soft_language_prompts")
    with_zero_weights(tiny.build(folder / "mt5", "mt5"))
    for dataset in ("xnli", "wikiann", "xquad", "squad"):
        write_hub(folder / dataset, dataset)
    write_claims(folder / "table")
    for code in LANGUAGES:
        rows = [{"text": text(random.Random(f"{code} {number}"), 60)} for number in range(ROWS)]
        write_rows(folder / "texts" / code / "train.parquet", rows)
    return folder


def words(shared_files: Path, task: str, here: Path) -> list[str]:
    """Overrides that put the stand-ins in the places of what the hub has."""
    train_on = [f"data.train_on.path={shared_files / 'squad'}"] if task == "qa" else []
    texts = f"{{dataset: texts, path: {shared_files / 'texts'}, max_length: 32}}"
    return [
        f"backbone.name={shared_files / 'mt5'}",
        f"data.path={shared_files / DATA[task]}",
        *train_on,
        f"stages.language.objective.span_corruption.text={texts}",
        f"store={here / 'store'}",
        f"runs={here / 'runs'}",
        "tracking.mode=off",
    ]


@pytest.mark.parametrize("task", DATA)
def test_the_whole_study_is_planned(shared_files: Path, tmp_path: Path, task: str) -> None:
    plan = plan_experiment(FOLDER / f"{task}.yaml", words(shared_files, task, tmp_path))
    check_identities(f"soft_language_prompts/{task}.yaml", plan)
    combinations = {experiment.label.partition(" · ")[0] for experiment in plan.experiments}
    assert combinations == {
        "no components",
        "task adapter",
        "task prompt",
        "language adapter + task adapter",
        "language adapter + task prompt",
        "language prompt + task adapter",
        "language prompt + task prompt",
    }
    assert {stage.steps for stage in plan.of_type(LanguageStage)} == {100_000}
    assert {stage.steps for stage in plan.of_type(TaskStage)} == {50_000}
    for stage in (*plan.of_type(LanguageStage), *plan.of_type(TaskStage)):
        kind = "prompt" if " prompt" in f" {stage.title}" else "adapter"
        optimizer = stage.settings.training.optimizers.get(kind, stage.settings.training.optimizer)
        assert (optimizer.name, optimizer.lr) == {"prompt": ("adafactor", 0.5), "adapter": ("adamw", 5e-5)}[kind]


@pytest.mark.pages
@pytest.mark.parametrize("task", DATA)
def test_its_smoke_variant_runs(shared_files: Path, tmp_path: Path, task: str) -> None:
    file = FOLDER / f"{task}-smoke.yaml"
    steps = ["stages.language.training.steps=2", "stages.task.training.steps=2", "stages.task.validate_every=2"]
    overrides = [*words(shared_files, task, tmp_path), *steps]
    printed = io.StringIO()
    run_experiment(file, overrides, Console(file=printed, width=160))
    plan = plan_experiment(file, overrides)
    assert plan.todo == []
    assert len(runs(plan)) == 7
    for run in runs(plan):
        assert {language for _, language in outcome(run)} == {"ell_Grek"}
    assert f"modulingua run {file.relative_to(ROOT)}" in file.read_text(encoding="utf-8")
