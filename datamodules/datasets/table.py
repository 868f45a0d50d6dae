"""A user's own labelled texts in files whose columns the YAML names."""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules.datasets.base import TEST, ClassificationDataset, DatasetConfig, Example
from datamodules.errors import DataError, RowError, RowErrors, comma_list, nearest, shown
from datamodules.languages.table import LANGUAGES, flores_code, nearest_languages
from datamodules.sources.base import file_fingerprint
from datamodules.sources.file_patterns import PLACEHOLDER, LanguageFiles, language_files, not_taken
from datamodules.sources.files import require_file, user_path
from datamodules.sources.labels import HIDDEN, first_pair_alike, in_one_form, unknown_label
from datamodules.sources.row import Row
from datamodules.sources.table_files import table_rows


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ColumnsConfig:
    """The names of a table's columns."""

    text: str = "text"
    """The text, or the first of a pair."""
    label: str = "label"
    """The label's name; a number is a name too."""
    second_text: str | None = None
    """The second text of a pair; null for single texts."""
    id: str | None = None
    """The id of a row in the predictions, unique per language and split; null uses split and number."""
    language: str | None = None
    """The language of each row, in files that hold several: a FLORES code or another code of it, such as `sw`."""

    def __post_init__(self) -> None:
        """Checks that texts and label are in columns of their own."""
        _refuse_same_columns(self.text, self.second_text, self.label)

    @property
    def names(self) -> tuple[str, ...]:
        """Those that must be there, but for `language`."""
        return tuple(name for name in (self.text, self.second_text, self.label, self.id) if name is not None)


def _refuse_same_columns(text: str, second_text: str | None, label: str, where: str = "") -> None:
    """Raises ValueError if two of these are the same column."""
    named = {"text": text, "second_text": second_text, "label": label}
    for (key, name), (other, its_name) in itertools.combinations(named.items(), 2):
        if name == its_name:
            raise ValueError(f"{where}{key} and {other} are the same column, '{name}'")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TableConfig(DatasetConfig):
    """Tables of your own; `path` is the folder of the files."""

    files: dict[Literal["train", "validation", "test"], str | dict[str, str]]
    """For each split its file (CSV, TSV, JSON, JSONL or parquet): one for all languages; a name with `{language}` in it
    for one per language; or a file by FLORES code."""
    columns: ColumnsConfig = ColumnsConfig()
    """Names of the columns."""
    labels: list[str] | None = None
    """Names of the labels in their order; null uses those of the training split, sorted."""
    positive_class: str | None = None
    """The positive class; results then have its F1 too."""

    def __post_init__(self) -> None:
        """Checks that every file has a language."""
        super().__post_init__()
        if self.revision is not None:
            raise ValueError("revision is one of the hub's; a table has none")
        if TEST not in self.files:
            raise ValueError("files name no test split to test on")
        for split, files in self.files.items():
            if isinstance(files, dict):
                if unknown := [code for code in files if code not in LANGUAGES]:
                    near = nearest_languages(unknown[0])
                    raise ValueError(f"files of {split} name the unknown language '{unknown[0]}'{near}")
            elif PLACEHOLDER not in files and self.columns.language is None:
                raise ValueError(
                    f"files say nothing of the language of {files}: write {split}: {{eng_Latn: {files}}}, put "
                    f"{PLACEHOLDER} into the name of one file per language, or name columns.language"
                )
        texts = (self.columns.text, self.columns.second_text)
        text, second_text = (name if name is None else self.translated.get(name, name) for name in texts)
        _refuse_same_columns(text or "", second_text, self.columns.label, "translated: in the test split ")
        if self.labels is not None and len(set(map(in_one_form, self.labels))) < max(2, len(self.labels)):
            raise ValueError("labels must be two or more different names")


class Table(ClassificationDataset):
    """Labelled texts, or pairs of them, in the user's files, each read whole and cached until it changes."""

    Config: ClassVar[type[DatasetConfig]] = TableConfig
    name = "table"
    hub_id = ""

    def __init__(self, config: TableConfig) -> None:
        self.config = config
        self.files: dict[str, str | dict[str, str]] = dict(config.files.items())
        self.pairs = config.columns.second_text is not None
        self.columns = config.columns.names
        self._labels = tuple(map(in_one_form, config.labels or ()))
        self._found: dict[str, LanguageFiles | None] = {}
        self.positive = None if config.positive_class is None else in_one_form(config.positive_class)

    @classmethod
    @override
    def from_config(cls, config: DatasetConfig) -> Self:
        """Makes the table; raises DataError if files and columns are not named."""
        if not isinstance(config, TableConfig):
            raise DataError("dataset 'table' must be told its files and columns, which only the section data can")
        return cls(config)

    @property
    def languages(self) -> tuple[str, ...]:
        """FLORES codes of the languages with test texts."""
        return self._languages_in(TEST)

    @property
    @override
    def labels(self) -> tuple[str, ...]:
        """The labels given, or else those of the training split; raises DataError if it does not hold two."""
        if self._labels:
            return self._labels
        split = self.config.train_split
        texts = [text for code in self._languages_in(split) for text in self._texts(code, split)]
        found = {text.label for text in texts if not isinstance(text, RowError)}
        if self.bad_rows == "skip" and (hidden := sorted(found & HIDDEN.keys())):
            raise DataError(
                f"the {split} split of the table holds the label {shown(hidden[0])}; "
                f"{shown(hidden[0])} may be a class or mark a missing label: name the labels in data.labels"
            )
        found -= HIDDEN.keys()
        if len(found) < 2:
            if errors := [text for text in texts if isinstance(text, RowError)]:
                raise RowErrors(errors)
            held = f"only {shown(found.pop())}" if found else "none"
            raise DataError(f"a classifier needs two labels; the {split} split of the table holds {held}")
        if alike := first_pair_alike(sorted(found)):
            one, other = map(shown, alike[:2])
            raise DataError(
                f"the labels {one} and {other} of the {split} split differ only in {alike[2]}; correct the file, or "
                "name both in data.labels"
            )
        self._labels = tuple(sorted(found))
        return self._labels

    @override
    def verify(self) -> None:
        if self.positive is not None and self.positive not in self.labels:
            near, known = nearest(self.positive, self.labels), comma_list(self.labels)
            raise DataError(f"positive_class: no label of the table is called {self.positive!r}{near}; known: {known}")
        errors: dict[str, RowError] = {}  # a row without a language is in each of them
        for split in self.files:
            languages = self._languages_in(split)
            if not languages:
                raise DataError(
                    f"no language has texts for the {split} split: {self._file(split)}{self._not_taken(split)}"
                )
            for code in languages:
                rows = list(self.read(code, split))
                errors.update((str(row), row) for row in rows if isinstance(row, RowError))
                if not rows:
                    raise DataError(f"{self._file(split, code)} holds no text for the {split} split")
        if errors and self.bad_rows == "refuse":
            raise RowErrors(list(errors.values()))

    @override
    def notes(self) -> list[str]:
        others = self._not_taken(TEST)
        return [f"Not every file of the test split has the code of one language{others}."] if others else []

    @override
    def config_of(self, language: str) -> str:
        known = list(dict.fromkeys(code for split in self.files for code in self._languages_in(split)))
        if language not in known:
            near, there = nearest_languages(language, known), ", ".join(known) or "none at all"
            others = self._not_taken(*self.files)
            raise DataError(f"the table has no text in '{language}'{near}; it has {there}{others}")
        return language

    @override
    def check(self, language: str, split: str) -> None:
        self.config_of(language)
        if split not in self.files:
            raise DataError(f"the table has no {split} split: data.files names only {' and '.join(self.files)}")
        there = self._languages_in(split)
        if language not in there:
            others = f"{', '.join(there) or 'no language'}{self._not_taken(split)}"
            raise DataError(f"the table's {split} split has no text in {language}, only in {others}")

    def fingerprint(self, language: str, split: str) -> str:
        """The sha256 of the split's examples and of all labels: independent of the file and its columns."""
        digest = hashlib.sha256(json.dumps(self.labels).encode())
        for example in self.examples(language, split):
            digest.update(json.dumps([example.id, *example.texts, example.label]).encode())
        return f"sha256:{digest.hexdigest()}"

    @override
    def content(self, language: str, split: str) -> str:
        """Ids may have the name of the split in them, so that a fingerprint depends on it."""
        self.check(language, split)
        content = file_fingerprint(self._file(split, language))
        return content if self._own_files(split) else f"{content} {language}"

    @override
    def read(self, language: str, split: str) -> Iterator[Example | RowError]:
        """A row without a usable language counts for each language of its file."""
        self.check(language, split)
        labels, file = self.labels, str(self._file(split, language))
        for number, text in enumerate(self._texts(language, split)):
            if isinstance(text, RowError):
                yield text
            elif text.label in labels:
                row_id = text.id or f"{split}-{number:05d}"
                yield Example(row_id, text.text, language, labels.index(text.label), second_text=text.second_text)
            else:
                way_out = "; a label of that name must be named in data.labels" if text.label in HIDDEN else ""
                reason = f"{unknown_label(text.label, labels)}{way_out}"
                yield RowError(file, text.place, reason, self.config.columns.label)

    def _languages_in(self, split: str) -> tuple[str, ...]:
        """The languages that a split has texts in; of a file per language it is only seen whether it is there."""
        if split not in self.files:
            return ()
        if own := self._own_files(split):
            return tuple(own.by_language)
        found = _read(self._file(split), self._columns(split))
        if not found.by_language and found.without_language:
            raise found.without_language[0]
        return tuple(found.by_language)

    def _own_files(self, split: str) -> LanguageFiles | None:
        """The files of a split that has one per language; None if it has one for all, with a column of languages."""
        if split not in self._found:
            files, found = self.files[split], None
            if isinstance(files, dict):
                found = LanguageFiles({code: self._folder / file for code, file in files.items()}, others=[])
            elif PLACEHOLDER in files:
                found = language_files(self._folder, files)
            self._found[split] = found
        return self._found[split]

    def _not_taken(self, *splits: str) -> str:
        """Words for files that lie where a language's file is looked for, but have no language's code."""
        return not_taken(*filter(None, map(self._own_files, splits)))

    @property
    def _folder(self) -> Path:
        return user_path(self.config.path or ".")

    def _file(self, split: str, language: str = "") -> Path:
        """The file of a split in a language; without one of its own, as the settings name it."""
        own = self._own_files(split)
        if own and language in own.by_language:
            return own.by_language[language]
        return self._folder / str(self.files[split])

    def _columns(self, split: str) -> ColumnsConfig:
        """What the columns of a split are called, with the translations in their places."""
        columns = self.config.columns
        if split != TEST:
            return columns
        names = {field: getattr(columns, field) for field in ("text", "second_text")}
        return dataclasses.replace(columns, **{field: self.translated.get(name, name) for field, name in names.items()})

    def _texts(self, language: str, split: str) -> "list[_Text | RowError]":
        own = language if self._own_files(split) else None
        found = _read(self._file(split, language), self._columns(split), own)
        return [*found.by_language.get(language, []), *found.without_language]


class _Text(NamedTuple):
    """A row of a table, its label not yet looked up."""

    place: str
    text: str
    second_text: str | None
    label: str
    id: str | None


class _Texts(NamedTuple):
    """The rows of a file, and the errors of unusable ones in their places."""

    by_language: dict[str, list[_Text | RowError]]
    """By FLORES code."""
    without_language: list[RowError]
    """The errors of rows without a language."""


def _read(file: Path, columns: ColumnsConfig, language: str | None = None) -> _Texts:
    """Reads a file, once for as long as its size and time stay the same; without a language, each row names its own.

    Raises:
        DataError: If the file or a column is missing, or the file cannot be read.
    """
    require_file(file)
    status = file.stat()
    return _read_version(file, columns, language, (status.st_size, status.st_mtime_ns))


@functools.lru_cache(maxsize=64)
def _read_version(file: Path, columns: ColumnsConfig, language: str | None, _size_and_time: tuple[int, int]) -> _Texts:
    found = _Texts(defaultdict(list), [])
    ids: dict[str, dict[str, str]] = defaultdict(dict)
    wanted = columns.names if language or columns.language is None else (*columns.names, columns.language)
    for row in table_rows(file, wanted):
        code = language
        try:
            if isinstance(row, RowError):
                raise row
            code = code or _language(row, columns)
            found.by_language[code].append(_text(row, columns, ids[code]))
        except RowError as error:
            if code:
                found.by_language[code].append(error)
            else:
                found.without_language.append(error)
    return found


def _text(row: Row, columns: ColumnsConfig, ids: dict[str, str]) -> _Text:
    """Reads the cells of a row; `ids` has the place of each row before of its language by id, and gets this one's."""
    text = _Text(
        row.place,
        row.name(columns.text),
        None if columns.second_text is None else row.name(columns.second_text),
        in_one_form(row.name(columns.label)),
        None if columns.id is None else row.name(columns.id),
    )
    if text.id is not None and (before := ids.setdefault(text.id, row.place)) != row.place:
        raise row.error(f"holds {text.id!r}, which is the id of {before} too", columns.id)
    return text


def _language(row: Row, columns: ColumnsConfig) -> str:
    """Returns the FLORES code of a row's language."""
    assert columns.language is not None
    name = row.name(columns.language)
    try:
        return flores_code(name)
    except DataError as error:
        raise row.error(str(error)) from None
