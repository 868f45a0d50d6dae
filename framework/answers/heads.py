"""Answers by a linear layer of our own over hidden states, trained with the task components."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import nn
from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules import (
    ClassificationData,
    DataError,
    LabelledDataset,
    QuestionData,
    TaggingData,
    Task,
    TaskData,
)
from datamodules.tokenization import check_pairs
from framework.answers.base import Answer, AnswerContext
from framework.validation import Problem
from modules import (
    BackboneInfo,
    ClassificationHead,
    ClassificationHeadConfig,
    Combination,
    Component,
    Family,
    OptimizationConfig,
    SpanHead,
    SpanHeadConfig,
    TaggingHead,
    TaggingHeadConfig,
    tokenizer_of,
)
from modules.training.classification import TextClassification
from modules.training.question_answering import QuestionAnswering
from modules.training.tagging import Tagging
from modules.training.task import TaskModule

SETTINGS = ConfigDict(extra="forbid")


class Head(Answer):
    """What these answers have in common."""

    families: ClassVar[tuple[Family, ...]] = ("encoder", "encoder-decoder", "decoder")
    needs_lm_head: ClassVar[bool] = False
    data_class: ClassVar[type[TaskData]]
    module_class: ClassVar[Callable[..., TaskModule]]

    @abstractmethod
    def head(self, hidden_size: int, labels: Sequence[str]) -> nn.Module:
        """Builds the layer."""

    def outputs(self, labels: Sequence[str]) -> int:
        """Counts what the layer gives for each thing that it reads."""
        return len(labels)

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        if dataset.pairs:
            try:
                check_pairs(tokenizer_of(info))
            except DataError as error:
                way_out = "" if info.family == "encoder" else "; put them to it by a template (label_words, generation)"
                yield (), f"{error}{way_out}"

    @override
    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        return (info.hidden_size + 1) * self.outputs(labels)

    @override
    def data(self, context: AnswerContext, tokenizer: PreTrainedTokenizerBase, **options: Any) -> TaskData:
        return self.data_class(context.config, tokenizer, **options)

    @override
    def module(
        self,
        context: AnswerContext,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        seed: int,
    ) -> TaskModule:
        head = self.head(context.info.hidden_size, context.labels)
        return type(self).module_class(combination, components, training, head=head, seed=seed)


@dataclass(frozen=True, config=SETTINGS)
class ClassificationHeadAnswer(Head, ClassificationHeadConfig):
    """A label for each text, or pair of texts, from its pooled hidden states."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    data_class = ClassificationData
    module_class = TextClassification

    @override
    def head(self, hidden_size: int, labels: Sequence[str]) -> ClassificationHead:
        return ClassificationHead(hidden_size, labels, self)

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        yield from super().problems(dataset, info, trains)
        if info.family == "decoder" and self.pooling == "cls":
            yield ("pooling",), "the first token of a decoder has seen nothing of the text; use mean or last"


@dataclass(frozen=True, config=SETTINGS)
class TaggingHeadAnswer(Head, TaggingHeadConfig):
    """A tag for each word of a sentence."""

    tasks: ClassVar[tuple[Task, ...]] = ("tagging",)
    data_class = TaggingData
    module_class = Tagging

    @override
    def head(self, hidden_size: int, labels: Sequence[str]) -> TaggingHead:
        return TaggingHead(hidden_size, labels, self)


@dataclass(frozen=True, config=SETTINGS)
class SpanHeadAnswer(Head, SpanHeadConfig):
    """Words of a context, from where they begin and where they end."""

    tasks: ClassVar[tuple[Task, ...]] = ("question answering",)
    data_class = QuestionData
    module_class = QuestionAnswering

    @override
    def head(self, hidden_size: int, labels: Sequence[str]) -> SpanHead:
        return SpanHead(hidden_size, self)

    @override
    def outputs(self, labels: Sequence[str]) -> int:
        return 2
