"""What a reader must know of the data that an experiment learns from, before and after it runs."""

from framework.config.schema import Experiment
from framework.planning.shortages import shortages
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
        *shortages(experiment),
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
