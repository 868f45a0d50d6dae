"""What a reader must know of the data that an experiment learns from, before and after it runs."""

from collections import Counter
from collections.abc import Iterator

from datamodules import LabelledDataset
from framework.config.schema import Experiment
from framework.planning.vocabulary import notes_on_languages


def notes_on_data(experiment: Experiment) -> Iterator[str]:
    """Says in sentences what is unusual about the training data of a checked experiment.

    Raises:
        DataError: The training examples cannot be read.
    """
    data, task, sources = experiment.data, experiment.stages.task, experiment.languages.source
    if data is None:
        return
    if experiment.languages.targets == ["all"]:
        yield from experiment.dataset.notes()
    if data.held_out is not None and task is not None and task.training is not None:
        yield f"Validated on {100 * data.held_out:g}% of the {data.train_split} split, trained on the rest of it."
    if data.translated:
        columns = ", ".join(f"{translation} for {column}" for column, translation in data.translated.items())
        yield f"Translate-test: tested on translations into {sources[0]} ({columns})."
    if task is not None and task.k_shot is not None:
        yield from _shortages(experiment.dataset, sources, task.k_shot)
    yield from notes_on_languages(experiment)


def _shortages(dataset: LabelledDataset, sources: list[str], k: int) -> Iterator[str]:
    """Names, for each source language, the classes with fewer than k examples."""
    for code in sources:
        if dataset.task != "classification":  # whose k examples are k of a language
            count = sum(1 for _ in dataset.examples(code, "train"))
            if count < k:
                yield f"{code} has {count} training examples, fewer than k = {k}."
        elif classes := _short_classes(dataset, code, k):
            few = ", ".join(classes)
            yield f"{code} has fewer than k = {k} training examples of {few}; all of them are used."


def _short_classes(dataset: LabelledDataset, language: str, k: int) -> list[str]:
    counts = Counter(example.label for example in dataset.examples(language, "train"))
    of_classes = {label: counts[dataset.labels.index(label)] for label in dataset.labels_in(language)}
    return [f"{label} ({count})" for label, count in of_classes.items() if count < k]
