"""Fetches everything that a plan reads from the hub into the Hugging Face cache, for machines without network.

It reads the data as the stages will, and keeps the downloaded files. So of a large corpus such as a Wikipedia only the
files are fetched that the steps of a stage reach.
"""

from itertools import product
from pathlib import Path
from typing import Any

from huggingface_hub.constants import HF_HUB_CACHE
from rich.console import Console
from rich.table import Column, Table

from datamodules import downloading_to_cache
from framework.execution.execute import text_data
from framework.objectives import MonolingualObjective
from framework.planning.data_check import DataCheck, read_text
from framework.planning.plan import EvaluateStage, LanguageStage, Plan, plan_experiment
from modules import fetch_backbone, load_tokenizer

Sizes = dict[str, dict[str, int]]
"""Repository and commit -> file -> bytes."""


def prefetch_experiment(file: Path, overrides: list[str], console: Console) -> None:
    """Fetches backbones, labelled data and text of an experiment, and prints the files and their sizes.

    Raises:
        UserError: The experiment has mistakes.
        DataError, ModulesError: Something is not available.
    """
    with downloading_to_cache() as recorder:
        plan = plan_experiment(file, overrides)
        sizes = _fetch_backbones(plan)
        _read_labelled_data(plan)
        for stage in plan.stages:
            if isinstance(stage, LanguageStage):
                console.print(f"text · {stage.title} · {stage.steps:,} steps")
                _read_text(stage)
    sizes |= {f"{hub_id}@{commit[:7]}": files for (hub_id, commit), files in recorder.files.items()}
    _print(sizes, console)


def _fetch_backbones(plan: Plan) -> Sizes:
    choices = {stage.backbone.config: stage.backbone for stage in plan.stages}
    return {
        choice.shown: {path.name: path.stat().st_size for path in fetch_backbone(config)}
        for config, choice in choices.items()
        if choice.info.revision != "local"
    }


def _read_labelled_data(plan: Plan) -> None:
    seen = set()
    for run in plan.of_type(EvaluateStage):
        experiment, answer = run.experiment, run.experiment.answer
        source, targets = experiment.languages.source, experiment.targets
        trained = product(source, ("train", "validation")) if run.task.trains else ()
        demonstrations = (found for code in targets for found in answer.demonstration_splits(source, code))
        for language, split in [*trained, *demonstrations, *product(targets, ["test"])]:
            key = (repr(experiment.data), language, split)
            if key not in seen:
                seen.add(key)
                for _ in experiment.dataset.read(language, split):
                    pass


def _read_text(stage: LanguageStage) -> None:
    objective, tokenizer = stage.settings.objective, load_tokenizer(stage.backbone.info)
    data: Any = text_data(stage, tokenizer, num_workers=0)
    for language in stage.languages:  # a run checks this first, too
        read_text(objective, language, DataCheck())
    if stage.reduces_vocabulary:
        assert isinstance(objective, MonolingualObjective)  # the check of the experiment says so
        objective.seen_tokens(tokenizer, stage.languages)
    # Skipped batches are read but not tokenised. One more follows, because Lightning prefetches one.
    data.skip = stage.steps
    next(iter(data.train_dataloader()))


def _print(sizes: Sizes, console: Console) -> None:
    numbers = (Column(name, justify="right") for name in ("files", "MB"))
    table = Table("repository", *numbers, box=None, header_style="bold")
    for repository, files in sizes.items():
        table.add_row(repository, f"{len(files):,}", f"{sum(files.values()) / 1e6:,.1f}")
    console.print(table if sizes else "nothing to fetch: the plan reads nothing from the hub")
    if sizes:
        console.print(f"\n in {HF_HUB_CACHE}   ·   HF_HUB_OFFLINE=1 modulingua run … needs no network", soft_wrap=True)
