"""What every way to answer says of itself."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol

from transformers import PreTrainedTokenizerBase

from datamodules import DatasetConfig, LabelledDataset, Task, TaskData
from framework.validation import Problem
from modules import BackboneInfo, Combination, Component, Family, OptimizationConfig
from modules.training.task import TaskModule


class Answer(Protocol):
    """The settings of a way to answer; how it is fed, and what answers."""

    tasks: ClassVar[tuple[Task, ...]]
    """What can be answered so."""
    families: ClassVar[tuple[Family, ...]]
    """The backbones that can answer so."""
    needs_lm_head: ClassVar[bool]
    """Whether the backbone must have a trained language-modelling head."""

    @property
    def writes(self) -> int:
        """The most tokens that it writes; 0 where it only chooses."""

    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        """Says what of the settings cannot work, by their keys.

        Args:
            dataset: What is answered.
            info: The backbone, of a right family.
            trains: Whether the task stage has something to train.
        """

    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        """Counts what is trained beside the components."""

    def reads(self, sources: Sequence[str], code: str) -> list[tuple[str, str]]:
        """Returns languages and splits that a test in a language reads beside its own test split."""

    def data(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        info: BackboneInfo,
        **feeding: Any,
    ) -> TaskData:
        """Feeds it.

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
        """Makes what answers; a head's first values are drawn from torch's global generator."""
