"""A tag for each word by a linear layer over the word."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules import DatasetConfig, TaggingData, Task
from framework.answers.base import Head
from modules import (
    BackboneInfo,
    Combination,
    Component,
    OptimizationConfig,
    TaggingHead,
    TaggingHeadConfig,
)
from modules.tagging import Tagging


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TaggingHeadAnswer(Head, TaggingHeadConfig):
    """Tags the words of sentences."""

    tasks: ClassVar[tuple[Task, ...]] = ("tagging",)

    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        """See `Answer`."""
        return (info.hidden_size + 1) * len(labels)

    def data(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        info: BackboneInfo,
        **feeding: Any,
    ) -> TaggingData:
        """See `Answer`."""
        return TaggingData(config, tokenizer, **feeding)

    def module(
        self,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        labels: Sequence[str],
        data: DatasetConfig,
        seed: int,
    ) -> Tagging:
        """See `Answer`."""
        head = TaggingHead(combination.backbone.info.hidden_size, labels, self)
        return Tagging(combination, components, training, head=head, seed=seed)
