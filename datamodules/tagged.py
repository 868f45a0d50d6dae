"""Sentences whose words have a tag each, such as those of named entity recognition."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from datamodules.dataset import Example, LabelledDataset
from datamodules.errors import DataError
from datamodules.row import Row

BETWEEN = "$$"
"""Stands between the entities of a written answer."""


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

    def has_gold(self, example: Example) -> bool:
        """See `LabelledDataset.has_gold`."""
        return isinstance(example, TaggedSentence)

    def answer(self, example: Example, words: Sequence[str]) -> str:
        """The entities in their order: `PER: Nelson Mandela$$LOC: Qunu` (Vykopal et al. 2025); nothing without any.

        A type is called what its B- label is called, without the `B-`.
        """
        assert isinstance(example, TaggedSentence)
        called = self._types(words)
        entities = _entities([self.labels[tag] for tag in example.tags])
        return BETWEEN.join(
            f"{called[type_]}: {' '.join(example.words[first:past])}" for type_, first, past in entities
        )

    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        """Finds the entities in the sentence, each at its first place that is not taken yet.

        Tags behind the sentence's last word stand for entities that are not in it at all, and so are wrong ones.

        Returns:
            The tags; None if a part of the answer names no type.
        """
        types = {name.casefold(): type_ for type_, name in self._types(words).items()}
        sentence = text.split(" ")  # a word may hold other blanks
        tags, behind = ["O"] * len(sentence), []
        for part in filter(None, (part.strip() for part in written.split(BETWEEN))):
            name, colon, entity = part.partition(":")
            type_, its_words = types.get(name.strip().casefold()), entity.strip(" ").split(" ")
            if not colon or type_ is None or its_words == [""]:
                return None
            inside = [f"B-{type_}", *[f"I-{type_}"] * (len(its_words) - 1)]
            free = ["O"] * len(its_words)
            for first in range(len(sentence) - len(its_words) + 1):
                here = slice(first, first + len(its_words))
                if sentence[here] == its_words and tags[here] == free:
                    tags[here] = inside
                    break
            else:
                behind += inside
        return " ".join([*tags, *behind])

    def _types(self, words: Sequence[str]) -> dict[str, str]:
        """What each type of entity is called."""
        named = zip(self.labels, words, strict=True)
        return {label[2:]: word.removeprefix("B-") for label, word in named if label.startswith("B-")}

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


def _entities(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yields type, first word and one past the last of each entity; an I- that continues nothing begins one."""
    first = 0
    for place, tag in enumerate([*tags, "O"]):
        before = tags[place - 1] if place else "O"
        if before != "O" and tag != f"I-{before[2:]}":
            yield before[2:], first, place
        if tag != "O" and tag != f"I-{before[2:]}":
            first = place
