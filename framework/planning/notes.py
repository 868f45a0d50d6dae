"""What a reader must know of the data that an experiment learns from, before and after it runs."""

from collections import Counter

from datamodules import LabelledDataset
from framework.config.schema import Experiment
from framework.planning.vocabulary import notes_on_languages


def notes_on_data(experiment: Experiment) -> list[str]:
    """Says in sentences what is unusual about the training data.

    Args:
        experiment: One cell of the grid, checked.

    Raises:
        DataError: The training examples cannot be read.
    """
    return [
        *_left_out(experiment),
        *_held_out(experiment),
        *_translated(experiment),
        *_shortages(experiment),
        *notes_on_languages(experiment),
    ]


def _left_out(experiment: Experiment) -> list[str]:
    every = experiment.data is not None and experiment.languages.targets == ["all"]
    return experiment.dataset.notes() if every else []


def _held_out(experiment: Experiment) -> list[str]:
    data, task = experiment.data, experiment.stages.task
    if data is None or data.held_out is None or task is None or task.training is None:
        return []
    return [f"Validated on {100 * data.held_out:g}% of the {data.train_split} split, trained on the rest of it."]


def _translated(experiment: Experiment) -> list[str]:
    data = experiment.data
    if data is None or not data.translated:
        return []
    columns = ", ".join(f"{translation} for {column}" for column, translation in data.translated.items())
    return [f"Translate-test: tested on translations into {experiment.languages.source[0]} ({columns})."]


def _shortages(experiment: Experiment) -> list[str]:
    """Names, for each source language, the classes with fewer than k examples."""
    if experiment.data is None or experiment.stages.task is None or experiment.stages.task.k_shot is None:
        return []
    k, dataset = experiment.stages.task.k_shot, experiment.dataset
    if dataset.task != "classification":  # whose k examples are k of a language
        counts = {code: sum(1 for _ in dataset.examples(code, "train")) for code in experiment.languages.source}
        few = {code: count for code, count in counts.items() if count < k}
        return [f"{code} has {count} training examples, fewer than k = {k}." for code, count in few.items()]
    found = {language: _short_classes(dataset, language, k) for language in experiment.languages.source}
    return [
        f"{language} has fewer than k = {k} training examples of {', '.join(classes)}; all of them are used."
        for language, classes in found.items()
        if classes
    ]


def _short_classes(dataset: LabelledDataset, language: str, k: int) -> list[str]:
    counts = Counter(example.label for example in dataset.examples(language, "train"))
    of_classes = {label: counts[dataset.labels.index(label)] for label in dataset.labels_in(language)}
    return [f"{label} ({count})" for label, count in of_classes.items() if count < k]
