"""What answers in words have in common: a template, and a language model that reads it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

import datamodules
from datamodules import DataError, LabelledDataset, TemplateConfig, language
from framework.answers.base import Answer, AnswerContext
from framework.errors import did_you_mean
from framework.system.documents import Key
from framework.validation import Problem
from modules import BackboneInfo, Family, of_tokenizer, tokenizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from datamodules import PromptedData


class PromptedAnswer(Answer, TemplateConfig):
    """A template and what it implies."""

    families: ClassVar[tuple[Family, ...]] = ("encoder-decoder", "decoder")
    needs_lm_head: ClassVar[bool] = True

    @property
    @abstractmethod
    def data_class(self) -> type[PromptedData]:
        """The data module."""

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        templates: dict[Key, str] = {("template",): self.template}
        templates |= {("templates", code): template for code, template in self.templates.items()}
        for key, template in templates.items():
            if dataset.pairs and "{second_text}" not in template:
                yield key, f"{dataset.name} holds pairs of texts; it has no place for the {{second_text}}"
            if not dataset.pairs and "{second_text}" in template:
                yield key, f"{dataset.name} holds single texts; {{second_text}} needs pairs of texts"
        named: dict[Key, dict[str, str]] = {("words",): self.words}
        named |= {("words_in", code): words for code, words in self.words_in.items()}
        for key, words in named.items():
            for label in words.keys() - set(dataset.labels):
                near = did_you_mean(label, dataset.labels)
                yield (*key, label), f"is no label of {dataset.name}{near} (known: {', '.join(dataset.labels)})"
        spoken = [*(("templates", code) for code in self.templates), *(("words_in", code) for code in self.words_in)]
        for field, code in spoken:
            try:
                language(code)
            except DataError as error:
                yield (field, code), str(error)
        if self.examples is not None and trains:
            yield (
                ("examples",),
                "examples are shown only where nothing is trained; remove the task components or the examples",
            )

    def called(self, labels: Sequence[str]) -> Iterator[tuple[Key, list[str]]]:
        """Yields what the labels are called, where no language has its own words and in those that have, by its key."""
        yield ("words",), self.words_for(labels, "")
        for code in self.words_in:
            yield ("words_in", code), self.words_for(labels, code)

    def answer_tokens(self, word: str, info: BackboneInfo) -> list[int]:
        """Returns the tokens of a label's word as they follow the question."""

        def find() -> list[int]:
            is_decoder = info.family == "decoder"
            builder = datamodules.PromptBuilder(self, tokenizer_of(info), is_decoder=is_decoder, shown={})
            return builder.answer_ids(word, ends=False)

        return of_tokenizer(list[int], find, info, "tokens of an answer", word)

    @override
    def demonstration_splits(self, sources: Sequence[str], code: str) -> list[tuple[str, str]]:
        if self.examples is None:
            return []
        if self.examples.language == "source" and not sources:
            raise DataError("languages.source names no language to take the examples from")
        return [(sources[0] if self.examples.language == "source" else code, self.examples.split)]

    @override
    def data(self, context: AnswerContext, tokenizer: PreTrainedTokenizerBase, **options: Any) -> PromptedData:
        is_decoder = context.info.family == "decoder"
        return self.data_class(context.config, tokenizer, self, labels=context.labels, is_decoder=is_decoder, **options)
