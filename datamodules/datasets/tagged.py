"""Sentences whose words have a tag each, such as those of named entity recognition."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from typing_extensions import override

from datamodules.datasets.base import Example, LabelledDataset
from datamodules.datasets.tag_schemes import OUTSIDE, refuse_other_schemes, to_bio, type_of
from datamodules.errors import RowError, shown
from datamodules.sources.labels import index_of, unknown_label
from datamodules.sources.row import Row

BETWEEN = "$$"
"""Stands between the entities of a written answer."""

_LOST = "; tools that read 'null' or 'NA' as a missing value lose such words"
"""The likely cause of a missing word."""


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
    text_names = ("sentence",)
    published_tags: ClassVar[tuple[str, ...]] = ()
    """The tags that the files hold, in the order of their numbers, where these are in another scheme with a letter
    before each type (IOBES, BILOU, BMEWO, IOE); they are converted to the labels. Empty where they are the labels."""

    def verify(self) -> None:
        """Checks that every tag can be read as part of a span, so that no wrong score comes of another scheme.

        Raises:
            DataError: If a label is not one of the BIO scheme, or a published tag cannot be converted to one.
        """
        refuse_other_schemes(self.name, self.labels, self.published_tags)

    def gold(self, example: Example) -> str:
        """The tags of all words, with a blank between them."""
        assert isinstance(example, TaggedSentence)
        return " ".join(self.labels[tag] for tag in example.tags)

    @override
    def has_gold(self, example: Example) -> bool:
        return isinstance(example, TaggedSentence)

    def answer(self, example: Example, words: Sequence[str]) -> str:
        """The entities in their order: `PER: Nelson Mandela$$LOC: Qunu` (Vykopal et al. 2025); nothing without any.

        A type is called what its B- label is called, without the `B-`.
        """
        assert isinstance(example, TaggedSentence)
        called = self._types(words)
        entities: list[str] = []
        for word, tag in zip(example.words, to_bio([self.labels[tag] for tag in example.tags]), strict=True):
            if tag.startswith("B-"):
                entities.append(f"{called[type_of(tag)]}: {word}")
            elif tag != OUTSIDE:
                entities[-1] += f" {word}"
        return BETWEEN.join(entities)

    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        """Finds the entities in the sentence, each at its first place that is not taken yet.

        An entity that is not in the sentence gets tags after the last word, and thus counts as wrong.

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
        called = dict(zip(self.labels, words, strict=True))
        return {
            type_of(label): called[label].removeprefix(letter)
            for letter in ("I-", "B-")  # of a type without a B- label, as in IOB1, it is what its I- label is called
            for label in self.labels
            if label.startswith(letter)
        }

    @override
    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """Raises RowError too if there are not as many tags as words, a word is no text, or a tag is unknown."""
        words, tags = (_list_in(row, column) for column in self.columns)
        if len(words) != len(tags):
            raise row.error(f"there are {len(words)} words, but {len(tags)} tags")
        for number, word in enumerate(words, start=1):
            if not isinstance(word, str):
                raise _error(row, number, f"holds {shown(word)}, not a word{_LOST}", self.columns[0])
        indices = [self._tag(tag, number, row) for number, tag in enumerate(tags, start=1)]
        if self.published_tags:
            converted = to_bio([self.published_tags[index] for index in indices])
            indices = [self.labels.index(tag) for tag in converted]
        return TaggedSentence(row_id, " ".join(words), language, words=tuple(words), tags=tuple(indices))

    def _tag(self, value: Any, number: int, row: Row) -> int:
        known = self.published_tags or self.labels
        if (index := index_of(value, known, numbered=True)) is None:
            raise _error(row, number, unknown_label(value, known, numbered=True), self.columns[1])
        return index


def _error(row: Row, word: int, reason: str, column: str) -> RowError:
    return RowError(row.file, f"{row.place}, word {word}", reason, column)


def _list_in(row: Row, column: str) -> list[Any]:
    value = row[column]
    if value is not None and not isinstance(value, list):
        raise row.error(f"holds {shown(value)}, not a list", column)
    return value or []
