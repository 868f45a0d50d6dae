"""Base module of all tasks."""

from collections.abc import Callable
from typing import ClassVar, TypedDict

from torch import Tensor
from typing_extensions import override

from modules.training.base import Batch, StageModule


class Prediction(TypedDict):
    """What a task module answers to a batch, a row each. Of several rows of one example the most confident counts."""

    id: list[str]
    language: list[str]
    predicted: list[str]
    """The answer, written as the dataset writes its gold, or `UNPARSED`."""
    confidence: Tensor
    """float32 [batch] on the CPU: the answer's probability where it has one, else the model's own score of it."""


class TaskModule(StageModule):
    """Learns to answer on the source languages, and answers on others.

    A subclass defines the losses, logs a validation score, and answers in `predict_step`.
    """

    chosen_by: ClassVar[str]
    """The validation metric that selects the best checkpoint; higher is better, such as `validation/accuracy`."""
    language_of: Callable[[str], str] = staticmethod(lambda language: language)
    """Maps a row's language to the language whose components act on it; controls change it."""

    @override
    def languages(self, batch: Batch) -> list[str]:
        return [self.language_of(language) for language in batch["language"]]

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Answers each row."""
        raise NotImplementedError
