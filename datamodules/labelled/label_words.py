"""Batches for label words: a prompt, and for each label the words that answer it."""

from collections.abc import Sequence

from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.datasets.base import Example
from datamodules.labelled.base import add_labels
from datamodules.labelled.prompted import PromptedData, PromptRow
from datamodules.labelled.templates import PromptBuilder


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
    def answer_tokens(
        self, builder: PromptBuilder, examples: Sequence[Example], languages: Sequence[str]
    ) -> list[list[list[int]]]:
        by_language = {
            # A sequence-to-sequence model has learnt to end its answers; a decoder goes on with anything.
            language: [builder.answer_ids(words, ends=not self.is_decoder) for words in self.words(language)]
            for language in dict.fromkeys(languages)
        }
        return [by_language[language] for language in languages]

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[PromptRow]) -> None:
        add_labels(batch, rows)
        batch["answers"] = [row.answers for row in rows]
