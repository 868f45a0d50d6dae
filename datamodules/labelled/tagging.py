"""Batches for training and testing a tagger of words."""

import dataclasses
from collections.abc import Sequence

import torch
from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.batching.tokenization import WordTokens, filled, word_tokens
from datamodules.datasets.base import Example
from datamodules.datasets.tagged import TaggedSentence
from datamodules.labelled.base import TaskData, TaskRow

NO_TOKEN = -1
"""Stands in a batch where a word has no token, and behind a sentence's last word."""
NO_TAG = -100
"""Stands in `labels` behind a sentence's last word."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Row(TaskRow):
    tokens: WordTokens


class TaggingData(TaskData):
    """Sentences whose words have a tag each; of an example without them, a new text, the words stand between blanks.

    Batches: `input_ids` and `attention_mask` [B, T] long; `words` [B] long, the number of words of each sentence, those
    cut off by `max_length` included; `first_tokens` and `last_tokens` [B, W] long, the place of each word's first and
    last token, -1 where it has none (it was cut off, or is blank) and behind a sentence's last word; `labels` [B, W]
    long, -100 behind the last word (left out where an example has no tags); `language` and `id`, lists of B strings.
    `text_prefix` stands before the first word and has no tag. With `k_shot`, that many sentences of each language are
    trained on, whatever entities are in them (as Lauscher et al. 2020 do).

    >>> from transformers import AutoTokenizer
    >>> from datamodules import DatasetConfig, Example, TaggingData
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> data = TaggingData(DatasetConfig("wikiann"), tokenizer)  # reads nothing before a split is asked for
    >>> texts = [Example("1", "du tole nape", "qaa_Latn")]
    >>> batch = next(iter(data.examples_dataloader(texts)))
    >>> tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
    ['[CLS]', 'du', 'to', '##le', 'na', '##pe', '[SEP]']
    >>> batch["first_tokens"], batch["last_tokens"]
    (tensor([[1, 2, 4]]), tensor([[1, 3, 5]]))
    """

    @override
    def rows(self, examples: Sequence[Example], max_length: int) -> list[_Row]:
        rows = word_tokens(self.tokenizer, [_words(each) for each in examples], max_length, self.config.text_prefix)
        return [_Row(example, row.ids, row) for example, row in zip(examples, rows, strict=True)]

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[_Row]) -> None:
        batch["words"] = torch.tensor([len(row.tokens.first) for row in rows])
        batch["first_tokens"] = filled([row.tokens.first for row in rows], NO_TOKEN)
        batch["last_tokens"] = filled([row.tokens.last for row in rows], NO_TOKEN)
        tags = [row.example.tags for row in rows if isinstance(row.example, TaggedSentence)]
        if len(tags) == len(rows):
            batch["labels"] = filled(tags, NO_TAG)


def _words(example: Example) -> Sequence[str]:
    return example.words if isinstance(example, TaggedSentence) else example.text.split()
