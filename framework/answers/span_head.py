"""Words of the context by a linear layer over each token, for their beginning and their end."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules import DatasetConfig, QuestionData, Task
from framework.answers.base import Head
from modules import (
    BackboneInfo,
    Combination,
    Component,
    OptimizationConfig,
    SpanHead,
    SpanHeadConfig,
)
from modules.question_answering import QuestionAnswering


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SpanHeadAnswer(Head, SpanHeadConfig):
    """Finds answers in contexts."""

    tasks: ClassVar[tuple[Task, ...]] = ("question answering",)

    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        """See `Answer`."""
        return (info.hidden_size + 1) * 2

    def data(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        info: BackboneInfo,
        **feeding: Any,
    ) -> QuestionData:
        """See `Answer`."""
        return QuestionData(config, tokenizer, **feeding)

    def module(
        self,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        labels: Sequence[str],
        data: DatasetConfig,
        seed: int,
    ) -> QuestionAnswering:
        """See `Answer`."""
        head = SpanHead(combination.backbone.info.hidden_size, self)
        return QuestionAnswering(combination, components, training, head=head, seed=seed)
