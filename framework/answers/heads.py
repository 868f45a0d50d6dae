"""Answers by a linear layer of our own over hidden states, trained with the task components."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

import modules
from datamodules import DataError, LabelledDataset, Task
from framework.answers.base import AnswerContext, BuiltInAnswer
from framework.validation import Problem
from modules import (
    BackboneInfo,
    ClassificationHeadConfig,
    Family,
    SpanHeadConfig,
    TaggingHeadConfig,
    of_tokenizer,
    tokenizer_of,
)

if TYPE_CHECKING:
    from torch import nn

    from modules import ClassificationHead, SpanHead, TaggingHead

SETTINGS = ConfigDict(extra="forbid")


class Head(BuiltInAnswer):
    """What these answers have in common."""

    families: ClassVar[tuple[Family, ...]] = ("encoder", "encoder-decoder", "decoder")
    needs_lm_head: ClassVar[bool] = False

    @abstractmethod
    def head(self, hidden_size: int, labels: Sequence[str]) -> nn.Module:
        """Builds the layer."""

    def outputs(self, labels: Sequence[str]) -> int:
        """Counts what the layer gives for each thing that it reads."""
        return len(labels)

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        if dataset.pairs and (reason := of_tokenizer(str, lambda: _refusal_of_pairs(info), info, "refusal of pairs")):
            way_out = "" if info.family == "encoder" else "; put them to it by a template (label_words, generation)"
            yield (), f"{reason}{way_out}"

    @override
    def parameters(self, labels: Sequence[str], info: BackboneInfo) -> int:
        return (info.hidden_size + 1) * self.outputs(labels)

    @override
    def module_options(self, context: AnswerContext) -> dict[str, Any]:
        return {"head": self.head(context.info.hidden_size, context.labels)}


def _refusal_of_pairs(info: BackboneInfo) -> str:
    """Returns why the tokenizer cannot encode pairs of texts; an empty text where it can."""
    from datamodules.batching.tokenization import check_pairs

    try:
        check_pairs(tokenizer_of(info))
    except DataError as error:
        return str(error)
    return ""


@dataclass(frozen=True, config=SETTINGS)
class ClassificationHeadAnswer(Head, ClassificationHeadConfig):
    """A linear head on the pooled hidden states of a text, or of a pair of texts."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    data_class = "datamodules.ClassificationData"
    module_class = "modules.training.TextClassification"

    @override
    def head(self, hidden_size: int, labels: Sequence[str]) -> ClassificationHead:
        return modules.ClassificationHead(hidden_size, labels, self)

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        yield from super().problems(dataset, info, trains)
        if info.family == "decoder" and self.pooling == "cls":
            yield ("pooling",), "the first token of a decoder has seen nothing of the text; use mean or last"


@dataclass(frozen=True, config=SETTINGS)
class TaggingHeadAnswer(Head, TaggingHeadConfig):
    """A linear head that tags each word of a sentence."""

    tasks: ClassVar[tuple[Task, ...]] = ("tagging",)
    data_class = "datamodules.TaggingData"
    module_class = "modules.training.Tagging"

    @override
    def head(self, hidden_size: int, labels: Sequence[str]) -> TaggingHead:
        return modules.TaggingHead(hidden_size, labels, self)


@dataclass(frozen=True, config=SETTINGS)
class SpanHeadAnswer(Head, SpanHeadConfig):
    """A linear head that predicts where in the context the answer begins and ends."""

    tasks: ClassVar[tuple[Task, ...]] = ("question answering",)
    data_class = "datamodules.QuestionData"
    module_class = "modules.training.QuestionAnswering"

    @override
    def head(self, hidden_size: int, labels: Sequence[str]) -> SpanHead:
        return modules.SpanHead(hidden_size, self)

    @override
    def outputs(self, labels: Sequence[str]) -> int:
        return 2
