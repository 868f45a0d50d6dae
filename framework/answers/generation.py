"""Answers that the language model generates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

import datamodules
from datamodules import LabelledDataset, Task, labelled_dataset
from framework.answers.base import AnswerContext
from framework.answers.prompted import PromptedAnswer
from framework.validation import Problem
from modules import BackboneInfo, OptimizationConfig, training

if TYPE_CHECKING:
    from datamodules import GenerationData
    from modules import Combination, Component
    from modules.training import Generation


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class GenerationAnswer(PromptedAnswer):
    """Generates the answer; unparsable output counts as wrong and is reported."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "tagging", "question answering")

    max_new_tokens: int = Field(default=30, ge=1, le=4096)
    """Longest generated answer in tokens."""
    beams: int = Field(default=1, ge=1, le=64)
    """Beams of the beam search; 1 is greedy decoding."""

    @property
    @override
    def data_class(self) -> type[GenerationData]:
        return datamodules.GenerationData

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        yield from super().problems(dataset, info, trains)
        if dataset.task != "classification":
            return
        for key, words in self.called(dataset.labels):
            for label, word in zip(dataset.labels, words, strict=True):
                if dataset.read_answer(word, "", words) != label:
                    yield key, f"{word!r}, once written, would not be read as {label!r}: another label is called so too"
                if len(self.answer_tokens(word, info)) > self.max_new_tokens:
                    yield key, f"{word!r} is longer than max_new_tokens, {self.max_new_tokens}"

    @override
    def module(
        self,
        context: AnswerContext,
        combination: Combination,
        components: Sequence[Component],
        settings: OptimizationConfig | None,
        seed: int,
    ) -> Generation:
        dataset = labelled_dataset(context.config)

        def read(written: str, text: str, language: str) -> str | None:
            return dataset.read_answer(written, text, self.words_for(context.labels, language))

        return training.Generation(
            combination,
            components,
            settings,
            read=read,
            max_new_tokens=self.max_new_tokens,
            beams=self.beams,
            seed=seed,
        )
