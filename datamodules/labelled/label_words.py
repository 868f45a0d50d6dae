"""Batches for label words: a prompt, and for each label the words that answer it."""

import dataclasses
from collections.abc import Sequence

from typing_extensions import override

from datamodules.batches import Batch
from datamodules.datasets.base import Example
from datamodules.labelled.base import TaskRow, add_labels
from datamodules.labelled.prompted import PromptedData


@dataclasses.dataclass(frozen=True, slots=True)
class _Row(TaskRow):
    answers: list[list[int]]


class LabelWordData(PromptedData):
    """Questions whose answers are the words of labels.

    Batches: `input_ids` and `attention_mask` [B, T] long, `answers` for each row a list of each label's token ids,
    `labels` [B] long (left out where an example has none), `language` and `id` lists of B strings.

    >>> from transformers import AutoTokenizer
    >>> from datamodules import DatasetConfig, LabelWordData, TemplateConfig, dataset
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> template = TemplateConfig("{text} tole", words={"travel": "nape"})
    >>> prompts = {"template": template, "labels": dataset("synthetic").labels, "is_decoder": True}
    >>> data = LabelWordData(DatasetConfig("synthetic"), tokenizer, **prompts, sources=["qaa_Latn"], batch_size=2)
    >>> batch = next(iter(data.train_dataloader()))
    >>> batch["input_ids"].shape, [len(answers) for answers in batch["answers"]], data.words("qaa_Latn")[-1]
    (torch.Size([2, 9]), [6, 6], 'nape')
    """

    @override
    def rows(self, examples: Sequence[Example], max_length: int, prompt_language: str | None = None) -> list[_Row]:
        languages = dict.fromkeys(prompt_language or example.language for example in examples)
        prompt_builder = self.prompt_builder(languages)
        answers = {
            # A sequence-to-sequence model has learnt to end its answers; a decoder goes on with anything.
            language: [prompt_builder.answer_ids(words, ends=not self.is_decoder) for words in self.words(language)]
            for language in languages
        }
        prefix = self.config.text_prefix
        return [
            _Row(
                example,
                prompt_builder.ids(example, prompt_language or example.language, max_length, prefix),
                answers[prompt_language or example.language],
            )
            for example in examples
        ]

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[_Row]) -> None:
        add_labels(batch, rows)
        batch["answers"] = [row.answers for row in rows]
