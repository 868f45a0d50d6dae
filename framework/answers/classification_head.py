"""A label by a linear layer over the pooled text."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules import ClassificationData, DatasetConfig, LabelledDataset, Task
from framework.answers.base import Head
from framework.validation import Problem
from modules import (
    BackboneInfo,
    ClassificationHead,
    ClassificationHeadConfig,
    Combination,
    Component,
    OptimizationConfig,
)
from modules.classification import TextClassification


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassificationHeadAnswer(Head, ClassificationHeadConfig):
    """Classifies texts, or pairs of texts."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        """See `Answer`."""
        yield from super().problems(dataset, info, trains)
        if info.family == "decoder" and self.pooling == "cls":
            yield ("pooling",), "the first token of a decoder has seen nothing of the text; use mean or last"

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
    ) -> ClassificationData:
        """See `Answer`."""
        return ClassificationData(config, tokenizer, **feeding)

    def module(
        self,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        labels: Sequence[str],
        data: DatasetConfig,
        seed: int,
    ) -> TextClassification:
        """See `Answer`."""
        head = ClassificationHead(combination.backbone.info.hidden_size, labels, self)
        return TextClassification(combination, components, training, head=head, seed=seed)
