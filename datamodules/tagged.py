"""Sentences whose words have a tag each, such as those of named entity recognition."""

from __future__ import annotations

import dataclasses
from typing import Any

from datamodules.dataset import Example, LabelledDataset
from datamodules.errors import DataError
from datamodules.source import Row


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaggedSentence(Example):
    """A sentence of words; its text is the words with a blank between them."""

    words: tuple[str, ...]
    tags: tuple[int, ...]
    """For each word an index into the dataset's labels."""


class TaggingDataset(LabelledDataset):
    """Sentences in the columns of CoNLL's successors; its labels are tags in the BIO scheme (O, B-PER, I-PER, …).

    The tags of a row are names or their numbers.
    """

    task = "tagging"
    columns = ("tokens", "ner_tags")

    def gold(self, example: Example) -> str:
        """The tags of all words, with a blank between them."""
        assert isinstance(example, TaggedSentence)
        return " ".join(self.labels[tag] for tag in example.tags)

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """See `Dataset.to_example`.

        Raises:
            DataError: If a tag is unknown, or there are not as many tags as words.
        """
        words, tags = (row[column] or [] for column in self.columns)
        if len(words) != len(tags):
            raise DataError(f"{self.name} {language}, row {row_id}: {len(words)} words, but {len(tags)} tags")
        indices = (self._tag(tag, f"{row_id}, word {number}", language) for number, tag in enumerate(tags, start=1))
        return TaggedSentence(row_id, " ".join(words), language, words=tuple(words), tags=tuple(indices))

    def _tag(self, value: Any, place: str, language: str) -> int:
        if isinstance(value, int) and value in range(len(self.labels)):
            return value
        return self.label_index(value, place, language)
