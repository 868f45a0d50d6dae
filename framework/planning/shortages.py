"""Classes of which a source language has fewer training examples than a k-shot experiment asks for."""

from collections import Counter

from datamodules import LabelledDataset
from framework.config.schema import Experiment


def shortages(experiment: Experiment) -> list[str]:
    """Says, a sentence for each source language, which classes give fewer than k examples.

    Args:
        experiment: One cell of the grid, checked.

    Raises:
        DataError: The training examples cannot be read.
    """
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
