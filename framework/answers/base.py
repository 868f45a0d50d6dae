"""The interface of an answer type."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol

from transformers import PreTrainedTokenizerBase

from datamodules import DatasetConfig, LabelledDataset, Task, TaskData
from framework.validation import Problem
from modules import BackboneInfo, Combination, Component, Family, OptimizationConfig
from modules.training.task import TaskModule


class Answer(Protocol):
    """The settings of an answer type, its data module and its task module."""

    tasks: ClassVar[tuple[Task, ...]]
    """The tasks that it serves."""
    families: ClassVar[tuple[Family, ...]]
    """The backbone families that it works on."""
    needs_lm_head: ClassVar[bool]
    """Whether the backbone must have a trained language-modelling head."""

    @property
    def max_new_tokens(self) -> int:
        """The longest generated answer in tokens; 0 for answers that only choose among labels."""

    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        """Yields configuration problems as (key, reason).

        Args:
            dataset: What is answered.
            info: The backbone, of a right family.
            trains: Whether the task stage has something to train.
        """

    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        """Counts trained parameters outside the components."""

    def demonstration_splits(self, sources: Sequence[str], code: str) -> list[tuple[str, str]]:
        """Returns the (language, split) pairs from which the demonstrations of a test in a language are drawn."""

    def data(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        info: BackboneInfo,
        **feeding: Any,
    ) -> TaskData:
        """Builds the data module.

        Args:
            config: The labelled data.
            tokenizer: Of the backbone.
            labels: The dataset's.
            info: The backbone.
            **feeding: As `TaskData`.
        """

    def module(
        self,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        labels: Sequence[str],
        data: DatasetConfig,
        seed: int,
    ) -> TaskModule:
        """Builds the task module; a new head is initialised from torch's global generator."""
