"""What a dataset is: a few declarations that turn the rows of a source into examples.

A new dataset is one small file with a subclass of `ClassificationDataset`, another `LabelledDataset`, or `Dataset` for
texts without labels, and its class in `registry.py`. Or the subclass stands anywhere and is named by its dotted path.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules.errors import DataError, RowError
from datamodules.languages.table import nearest_languages
from datamodules.sources.base import Folder, Source
from datamodules.sources.labels import index_of, unknown_label
from datamodules.sources.row import Row, Rows, is_blank

TRAIN, VALIDATION, TEST = "train", "validation", "test"

BadRows = Literal["refuse", "skip"]
"""What happens to a row that cannot be used."""

Task = Literal["classification", "tagging", "question answering"]
"""Task types: one label per text or pair, one label per word, or a span of words that answers a question."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainOnConfig:
    """Another dataset for training and validation; `data` itself is then for testing only."""

    name: str
    """Registered name or dotted path of a class, of the same task."""
    path: str | None = None
    """Local copy of its repository on the hub, or a folder in its layout; null reads from the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; null is the current main branch."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DatasetConfig:
    """A labelled dataset, and how its texts are tokenised."""

    name: str
    """Registered name (`sib200`) or dotted path of a class; some datasets have additional settings."""
    path: str | None = None
    """Local copy of its repository on the hub, or a folder in its layout; null reads from the hub."""
    revision: str | None = None
    """Branch, tag or commit on the hub; null is the current main branch."""
    text_prefix: str = ""
    """Prefix of each text, such as "query: " for E5; of a pair, of the first text."""
    max_length: int = Field(default=256, ge=4, le=2**17)
    """Maximum length in tokens, including special tokens and prefix."""
    train_max_length: int | None = Field(default=None, ge=4, le=2**17)
    """The same for training texts; null is `max_length`."""
    train_split: Literal["train", "validation"] = "train"
    """The training split; `validation` only together with `held_out`."""
    held_out: float | None = Field(default=None, gt=0, lt=1)
    """Share of `train_split` that is held out as validation data; null uses the validation split."""
    translated: dict[str, str] = dataclasses.field(default_factory=dict)
    """Translate-test: by columns of the test split, those that hold translations into the (first) source language,
    such as `text: text_en`."""
    bad_rows: BadRows = "refuse"
    """What happens to rows that cannot be used (an empty text, an unknown label, …): `refuse` ends the run before
    anything is trained and lists them; `skip` leaves them out and counts them in the results."""
    train_on: TrainOnConfig | None = None
    """Trains and validates on another dataset; `train_split` and `held_out` then refer to its splits."""

    def __post_init__(self) -> None:
        """Checks that nothing is trained on and validated on."""
        if self.train_split == VALIDATION and self.held_out is None:
            raise ValueError(
                "held_out must say which share of the validation split is not trained on but validated on, such as 0.2"
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """One text, or a pair of texts."""

    id: str
    """Unique within a language and split; in a parallel dataset the same for a text and its translations."""
    text: str
    language: str
    """FLORES code."""
    label: int | None = None
    """Index into the dataset's labels; None without gold."""
    second_text: str | None = None
    """The second of a pair, such as the hypothesis to a premise; None for a single text."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The text, or both of a pair."""
        return (self.text,) if self.second_text is None else (self.text, self.second_text)


class Dataset:
    """Texts by language and split."""

    Config: ClassVar[type[DatasetConfig]] = DatasetConfig
    """What a YAML's section `data` may say of it."""
    name: str
    hub_id: ClassVar[str]
    hub_revision: ClassVar[str | None] = None
    """Where its files are on the hub, for a dataset whose main branch holds a loading script; None for the main one."""
    configs: ClassVar[dict[str, str]]
    """The dataset's own name of each language, by FLORES code."""
    splits: ClassVar[dict[str, str]] = {TRAIN: TRAIN, VALIDATION: VALIDATION, TEST: TEST}
    """The dataset's own name of each split."""
    absent: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Splits that single languages lack, by FLORES code."""
    parallel: bool = False
    """Whether rows of two languages with the same id, in the same split, are translations of each other."""
    columns: tuple[str, ...]
    """Columns that must be there."""
    id_column: ClassVar[str | None] = None
    """The one of them with the ids; None where split and number are the id."""
    text_columns: ClassVar[tuple[str, ...]] = ("text",)
    """The one of them with the texts, or the two with those of pairs."""
    optional_columns: ClassVar[tuple[str, ...]] = ()
    """Columns that only some published versions have."""
    quotes: ClassVar[bool] = True
    """Whether cells of its TSV files may be quoted; else quotes are part of the text."""
    translated: Mapping[str, str] = MappingProxyType({})
    """Columns of the test split that others stand in for; see `DatasetConfig`."""
    bad_rows: BadRows = "refuse"
    """What `examples` does at a row that cannot be used; see `DatasetConfig`."""

    def __init__(self, path: str | None = None, revision: str | None = None) -> None:
        """Sets the source: a local folder, or the hub at a branch, tag or commit. Reads nothing yet."""
        self.source: Source
        if path is not None:
            self.source = Folder(path, quotes=self.quotes)
        else:
            from datamodules.sources.hub import Hub  # the hub's client is slow to import

            self.source = Hub(self.hub_id, revision or self.hub_revision, quotes=self.quotes)

    @classmethod
    def from_config(cls, config: DatasetConfig) -> Self:
        """Makes the dataset that a config describes."""
        return cls(config.path, config.revision)

    @property
    def languages(self) -> tuple[str, ...]:
        """FLORES codes of all languages."""
        return tuple(self.configs)

    def config_of(self, language: str) -> str:
        """The dataset's own name of a language.

        Raises:
            DataError: If it is not a language of this dataset, with the nearest ones.
        """
        if language not in self.configs:
            raise DataError(
                f"'{language}' is not a language of {self.name}{nearest_languages(language, self.languages)}"
            )
        return self.configs[language]

    def check(self, language: str, split: str) -> None:
        """Checks for a missing language or split, by the declarations and in a local folder; reads no row.

        Raises:
            DataError: With the languages or splits that there are.
        """
        self.source.check(*self.place_of(language, split))

    def place_of(self, language: str, split: str) -> tuple[str, str]:
        """Where the source has a split: the dataset's own name of its config, and of the split.

        Raises:
            DataError: If the language or the split is missing.
        """
        return self.config_of(language), self._split_of(language, split)

    def rows(self, language: str, split: str) -> Rows:
        """Streams the raw rows of one split in the dataset's order, and the errors of unusable ones in their places."""
        config, its_split = self.place_of(language, split)
        translated = self.translated if split == TEST else {}
        columns = tuple(dict.fromkeys([*self.columns, *translated.values()]))
        for row in self.source.rows(config, its_split, columns, self.optional_columns):
            if translated and isinstance(row, Row):
                yield row.replace(**{column: row[translation] for column, translation in translated.items()})
            else:
                yield row

    def fingerprint(self, language: str, split: str) -> str:
        """What determines the rows of a split, wherever they lie; reads no row."""
        return self.source.fingerprint(*self.place_of(language, split))

    def content(self, language: str, split: str) -> str:
        """What the texts of a split are read from: the same for two splits that are parts or copies of one."""
        return self.fingerprint(language, split)

    def examples(self, language: str, split: str) -> Iterator[Example]:
        """Streams the examples of one split, `train`, `validation` or `test`, in the dataset's order.

        Raises:
            DataError: If the language, split or a column is missing, or the file cannot be read.
            RowError: At the first row that cannot be used, unless such rows are skipped.
        """
        for found in self.read(language, split):
            if not isinstance(found, RowError):
                yield found
            elif self.bad_rows == "refuse":
                raise found

    def read(self, language: str, split: str) -> Iterator[Example | RowError]:
        """Streams the same as `examples`, but yields the error of each unusable row in its place.

        Raises:
            DataError: If the language, split or a column is missing, or the file cannot be read any further.
        """
        places: dict[str, str] = {}
        for number, row in enumerate(self.rows(language, split)):
            if isinstance(row, RowError):
                yield row
                continue
            try:
                example = self.to_example(row, f"{split}-{number:05d}", language)
                self.check_example(example, row, split)
                # The predictions of a test split are matched by id; other splits may be too large to keep all ids.
                if split == TEST:
                    place = f"{row.file}, {row.place}"
                    if (first := places.setdefault(example.id, place)) != place:
                        raise row.error(f"the id {example.id!r} is that of {first} too")
            except RowError as error:
                yield error
            else:
                yield example

    def check_example(self, example: Example, row: Row, split: str) -> None:
        """Checks what `to_example` made of a row, so that classes of the user's own are checked too.

        Raises:
            RowError: The example cannot be used in this split.
        """
        for text in example.texts:
            if not isinstance(text, str):
                raise row.error(f"the text is {text!r}, not a text")

    def overlap(self, language: str, first: str, second: str) -> list[str]:
        """Returns ids of the second split's examples whose texts, but for white space at the ends, are in the first."""
        known = {_stripped(example) for example in self.examples(language, first)}
        return [example.id for example in self.examples(language, second) if _stripped(example) in known]

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """Makes an example of a raw row: of the columns declared, or as a subclass does.

        `row_id`, its split and number, is for datasets whose rows have no id.

        Raises:
            RowError: The row cannot be used.
        """
        its_id = row_id if self.id_column is None else row.name(self.id_column)
        text, *second_text = (row.text(column) for column in self.text_columns)
        return Example(its_id, text, language, self.label_of(row), *second_text)

    def label_of(self, row: Row) -> int | None:
        """The index of a raw row's label; None without labels."""
        return None

    def _split_of(self, language: str, split: str) -> str:
        having = [name for name in self.splits if name not in self.absent.get(language, ())]
        if split in having:
            return self.splits[split]
        message = f"{self.name} has no {split} split for {language}, only {' and '.join(having)}"
        if split in self.splits:
            others = [code for code in self.languages if split not in self.absent.get(code, ())]
            message += f"; languages with {split}: {', '.join(others)}"
        raise DataError(message)


class LabelledDataset(Dataset):
    """Texts, or pairs of texts, with gold answers, by language and split."""

    task: Task
    pairs: bool = False
    """Whether an example is a pair of texts."""
    text_names: tuple[str, ...] = ("text", "second text")
    """What messages call the text, or the texts of a pair."""
    without_gold: str = "there is no label"
    """What messages say of a row without gold."""
    blank_test_texts: bool = False
    """Whether published test texts may be blank; these are tested as they are."""
    numbered_labels: bool = False
    """Whether a row may hold a label's number in place of its name."""
    positive: str | None = None
    """The positive class, such as check-worthy claims, for datasets scored by one class's F1; most have none."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, where there are some; an example's are indices into them. A subclass may simply name them."""
        return ()

    def gold(self, example: Example) -> str:
        """The gold answer of an example, in the form of its task that results keep."""
        raise NotImplementedError

    def has_gold(self, example: Example) -> bool:
        """Whether an example has a gold answer."""
        return example.label is not None

    def answer(self, example: Example, words: Sequence[str]) -> str:
        """The gold answer of an example, as a language model should write it; `words` is what each label is called."""
        raise NotImplementedError

    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        """Reads what a language model wrote about the (first) text of an example; `words` is what each label is called.

        Returns the answer as `gold` writes it; None if nothing can be made of it.
        """
        raise NotImplementedError

    def verify(self) -> None:
        """Reads what may hold a user's own mistakes; published data does not.

        Raises:
            DataError: If it holds one.
        """

    def notes(self) -> list[str]:
        """Sentences about what is left out when all languages are tested; most datasets have none."""
        return []

    def group_of(self, example: Example) -> str:
        """The key of examples that must not be split between training and validation data.

        In a parallel dataset it is the id, so that no translation is trained on; else the first text, which several
        pairs may share.
        """
        return example.id if self.parallel else example.text.strip()

    def labels_in(self, language: str) -> tuple[str, ...]:
        """The labels that occur in a language: all of them unless a dataset overrides this."""
        self.config_of(language)
        return self.labels

    @override
    def check_example(self, example: Example, row: Row, split: str) -> None:
        """A blank text and missing gold are errors too."""
        super().check_example(example, row, split)
        for name, text in zip(self.text_names, example.texts, strict=False):
            if is_blank(text) and not (split == TEST and self.blank_test_texts):
                raise row.error(f"the {name} is empty")
        if not self.has_gold(example):
            raise row.error(self.without_gold)

    def label_index(self, row: Row, column: str) -> int:
        """Returns the index of the label that a column holds by its name, or by its number where labels are numbered.

        Raises:
            RowError: It is none of the dataset's labels.
        """
        index = index_of(row[column], self.labels, numbered=self.numbered_labels)
        if index is None:
            raise row.error(unknown_label(row[column], self.labels, numbered=self.numbered_labels), column)
        return index


class ClassificationDataset(LabelledDataset):
    """Texts, or pairs of texts, with a label each."""

    task = "classification"
    label_column: ClassVar[str] = "label"

    @override
    def label_of(self, row: Row) -> int | None:
        return self.label_index(row, self.label_column)

    def gold(self, example: Example) -> str:
        """The label's name."""
        assert example.label is not None
        return self.labels[example.label]

    def answer(self, example: Example, words: Sequence[str]) -> str:
        """What the label is called."""
        assert example.label is not None
        return words[example.label]

    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        """The label of that name, ignoring case and final punctuation; similar names do not match."""
        meant = [label for label, word in zip(self.labels, words, strict=True) if _bare(word) == _bare(written)]
        return meant[0] if len(meant) == 1 else None


def _bare(words: str) -> str:
    return words.strip().rstrip(".!").rstrip().casefold()


def _stripped(example: Example) -> tuple[str, ...]:
    return tuple(text.strip() for text in example.texts)


def refuse_test_split(split: str, what: str, field: str = "split") -> None:
    """Keeps test texts out of the training of language components.

    Raises:
        DataError: If a field names the test split; the message says what would read it.
    """
    if split == TEST:
        raise DataError(f"{field} names the test split: {what} may not use a test split; use {TRAIN} or {VALIDATION}")
