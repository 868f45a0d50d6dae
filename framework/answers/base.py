"""The interface of an answer type."""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from datamodules import DatasetConfig, LabelledDataset, Task
from framework.identity import class_name
from framework.validation import Problem
from modules import BackboneInfo, Family, OptimizationConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from datamodules import TaskData
    from modules import Combination, Component
    from modules.training import TaskModule


@dataclass(frozen=True)
class AnswerContext:
    """What an answer is built for."""

    config: DatasetConfig
    """The labelled data."""
    labels: Sequence[str]
    """The dataset's labels."""
    info: BackboneInfo
    """The backbone."""


class Answer(ABC):
    """The settings of an answer type; they build its data module and its task module."""

    tasks: ClassVar[tuple[Task, ...]]
    """The tasks that it serves."""
    families: ClassVar[tuple[Family, ...]]
    """The backbone families that it works on."""
    needs_lm_head: ClassVar[bool]
    """Whether the backbone must have a trained language-modelling head."""
    max_new_tokens: int = 0
    """The longest generated answer in tokens; 0 for answers that only choose among labels."""

    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        """Yields configuration problems as (key, reason).

        Args:
            dataset: The labelled data.
            info: The backbone, of one of `families`.
            trains: Whether the task stage has something to train.
        """
        yield from ()

    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        """Counts trained parameters outside the components."""
        return 0

    def demonstration_splits(self, sources: Sequence[str], code: str) -> list[tuple[str, str]]:
        """Returns the (language, split) pairs from which the demonstrations of a test in a language are drawn.

        Raises:
            DataError: There is no language to draw them from.
        """
        return []

    @property
    def recipe(self) -> list[Any]:
        """How the task is answered: the class and its settings."""
        return [class_name(type(self)), self]

    @abstractmethod
    def data(self, context: AnswerContext, tokenizer: PreTrainedTokenizerBase, **options: Any) -> TaskData:
        """Builds the data module.

        Args:
            context: What the answer is built for.
            tokenizer: Of the backbone.
            **options: As `TaskData`.
        """

    @abstractmethod
    def module(
        self,
        context: AnswerContext,
        combination: Combination,
        components: Sequence[Component],
        settings: OptimizationConfig | None,
        seed: int,
    ) -> TaskModule:
        """Builds the task module; a new head is initialised from torch's global generator."""


class BuiltInAnswer(Answer):
    """An answer of ours, which names its data module and its task module by dotted paths: both need torch."""

    data_class: ClassVar[str]
    module_class: ClassVar[str]

    def data_options(self, context: AnswerContext) -> dict[str, Any]:
        """Returns the arguments that only this answer's data module has."""
        return {}

    @abstractmethod
    def module_options(self, context: AnswerContext) -> dict[str, Any]:
        """Returns the arguments that only this answer's task module has."""

    @override
    def data(self, context: AnswerContext, tokenizer: PreTrainedTokenizerBase, **options: Any) -> TaskData:
        data_class: type[TaskData] = pkgutil.resolve_name(self.data_class)
        return data_class(context.config, tokenizer, **self.data_options(context), **options)

    @override
    def module(
        self,
        context: AnswerContext,
        combination: Combination,
        components: Sequence[Component],
        settings: OptimizationConfig | None,
        seed: int,
    ) -> TaskModule:
        module_class: type[TaskModule] = pkgutil.resolve_name(self.module_class)
        return module_class(combination, components, settings, seed=seed, **self.module_options(context))
