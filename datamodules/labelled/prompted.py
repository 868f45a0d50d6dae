"""Renders texts with a prompt template and demonstrations."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase
from typing_extensions import override

from datamodules.datasets.base import DatasetConfig, Example
from datamodules.labelled.base import TaskData, TaskRow
from datamodules.labelled.templates import PromptBuilder, TemplateConfig, draw_examples


@dataclasses.dataclass(frozen=True, slots=True)
class PromptRow(TaskRow):
    """A tokenised prompt, with the language of its template."""

    prompt_language: str
    answers: Any
    """As of `PromptedData.answer_tokens`."""


class PromptedData(TaskData):
    """Texts rendered by a prompt template, behind demonstrations where the template has some."""

    def __init__(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        template: TemplateConfig,
        *,
        labels: Sequence[str],
        is_decoder: bool,
        **feeding: Any,
    ) -> None:
        """Checks languages and splits; reads nothing yet.

        Args:
            config: Which labelled texts, and how long questions may be.
            tokenizer: Of the backbone.
            template: How texts are put.
            labels: The dataset's.
            is_decoder: Whether the backbone is a decoder, whose answer goes on where the question ends.
            **feeding: As `TaskData`.

        Raises:
            DataError: If the dataset, a language or a split is missing.
        """
        super().__init__(config, tokenizer, **feeding)
        self.template = template
        self.labels = list(labels)
        self.is_decoder = is_decoder
        self._drawn: dict[str, list[Example]] = {}

    @override
    def test_rows(self, examples: Sequence[Example]) -> list[PromptRow]:
        return self.rows(examples, self.config.max_length, self.sources[0] if self.config.translated else None)

    def rows(self, examples: Sequence[Example], max_length: int, prompt_language: str | None = None) -> list[PromptRow]:
        """Puts examples to the model, all in one language, or each in its own."""
        languages = [prompt_language or example.language for example in examples]
        shown = {language: self._shown(language) for language in dict.fromkeys(languages)}
        builder = PromptBuilder(self.template, self.tokenizer, is_decoder=self.is_decoder, shown=shown)
        answers = self.answer_tokens(builder, examples, languages)
        return [
            PromptRow(example, builder.ids(example, language, max_length, self.config.text_prefix), language, answer)
            for example, language, answer in zip(examples, languages, answers, strict=True)
        ]

    def answer_tokens(self, builder: PromptBuilder, examples: Sequence[Example], languages: Sequence[str]) -> list[Any]:
        """Tokenises for each example what `answers` has of it in a batch; the languages are those of the prompts."""
        raise NotImplementedError

    def words(self, language: str) -> list[str]:
        """What the labels are called in a language."""
        return self.template.words_for(self.labels, language)

    def answer(self, example: Example, prompt_language: str) -> str:
        """The gold answer, as the model should write it in the language of the prompt."""
        return self.dataset.answer(example, self.words(prompt_language))

    def _shown(self, language: str) -> list[tuple[Example, str]]:
        asked = self.template.examples
        if asked is None:
            return []
        shown = self.sources[0] if asked.language == "source" else language
        if shown not in self._drawn:
            self._drawn[shown] = draw_examples(self.dataset, asked, shown, self.seed)
        return [(example, self.answer(example, shown)) for example in self._drawn[shown]]
