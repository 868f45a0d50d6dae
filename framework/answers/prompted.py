"""Answers in words: a language model reads a template, and label words are compared or the answer is generated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

import datamodules
from datamodules import DataError, LabelledDataset, Task, TemplateConfig, labelled_dataset, language
from framework.answers.base import AnswerContext, BuiltInAnswer
from framework.errors import did_you_mean
from framework.system.yaml_documents import Key
from framework.validation import Problem
from modules import BackboneInfo, Family, of_tokenizer, tokenizer_of

SETTINGS = ConfigDict(extra="forbid")


class PromptedAnswer(BuiltInAnswer, TemplateConfig):
    """A template and what it implies."""

    families: ClassVar[tuple[Family, ...]] = ("encoder-decoder", "decoder")
    needs_lm_head: ClassVar[bool] = True

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
    def data_options(self, context: AnswerContext) -> dict[str, Any]:
        return {"template": self, "labels": context.labels, "is_decoder": context.info.family == "decoder"}


@dataclass(frozen=True, config=SETTINGS)
class LabelWordsAnswer(PromptedAnswer):
    """Classifies by the likelihood of label words under a template (a verbalizer)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    data_class = "datamodules.LabelWordData"
    module_class = "modules.training.LabelWords"

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        yield from super().problems(dataset, info, trains)
        unknown = of_tokenizer(list[int | None], lambda: [tokenizer_of(info).unk_token_id], info, "unknown token")
        for key, words in self.called(dataset.labels):
            same: dict[tuple[int, ...], list[str]] = defaultdict(list)
            for label, word in zip(dataset.labels, words, strict=True):
                ids = tuple(self.answer_tokens(word, info))
                if set(ids) <= set(unknown):
                    encoded = f"which the tokenizer of {info.name} encodes as unknown tokens"
                    yield key, f"{label!r} is called {word!r}, {encoded}"
                else:
                    same[ids].append(f"{label} ({word!r})")
            for labels in same.values():
                if len(labels) > 1:
                    yield key, f"{' and '.join(labels)} are encoded as the same tokens and cannot be told apart"

    @override
    def module_options(self, context: AnswerContext) -> dict[str, Any]:
        return {"labels": context.labels}


@dataclass(frozen=True, config=SETTINGS)
class GenerationAnswer(PromptedAnswer):
    """Generates the answer; unparsable output counts as wrong and is reported."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "tagging", "question answering")
    data_class = "datamodules.GenerationData"
    module_class = "modules.training.Generation"

    max_new_tokens: int = Field(default=30, ge=1, le=4096)
    """Longest generated answer in tokens."""
    beams: int = Field(default=1, ge=1, le=64)
    """Beams of the beam search; 1 is greedy decoding."""

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
    def module_options(self, context: AnswerContext) -> dict[str, Any]:
        dataset = labelled_dataset(context.config)

        def read(written: str, text: str, language: str) -> str | None:
            return dataset.read_answer(written, text, self.words_for(context.labels, language))

        return {"read": read, "max_new_tokens": self.max_new_tokens, "beams": self.beams}
