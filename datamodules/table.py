"""A user's own labelled texts in files whose columns the YAML names."""

# no `from __future__ import annotations` here: pydantic reads the annotations of the config

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from datamodules.dataset import TEST, ClassificationDataset, DatasetConfig, Example
from datamodules.errors import DataError, nearest
from datamodules.languages import LANGUAGES, nearest_languages
from datamodules.table_files import table_rows

PLACEHOLDER = "{language}"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ColumnsConfig:
    """The names of a table's columns."""

    text: str = "text"
    """The text, or the first of a pair."""
    label: str = "label"
    """The label's name; a number is a name too."""
    second_text: str | None = None
    """The second text of a pair; without it the texts are single ones."""
    id: str | None = None
    """What names a row in the predictions, once in a language and split; without it split and number."""
    language: str | None = None
    """The language of each row, in files that hold several: a FLORES code or another code of it, such as `sw`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Those that must be there, but for `language`."""
        return tuple(name for name in (self.text, self.second_text, self.label, self.id) if name is not None)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TableConfig(DatasetConfig):
    """A user's own files; `path` is the folder that their names are seen from."""

    files: dict[Literal["train", "validation", "test"], str | dict[str, str]]
    """For each split its file (CSV, TSV, JSONL or parquet): one for all languages; a name with `{language}` in it for
    one per language; or a file by FLORES code."""
    columns: ColumnsConfig = ColumnsConfig()
    """What the columns are called."""
    labels: list[str] | None = None
    """Names of the labels in their order; without it those of the split that is trained on, sorted."""
    positive: str | None = None
    """The label that alone is sought; results then have its F1 too."""

    def __post_init__(self) -> None:
        """Checks that every file's language can be told."""
        super().__post_init__()
        if self.revision is not None:
            raise ValueError("revision is one of the hub's; a table has none")
        if TEST not in self.files:
            raise ValueError("files name no test split to test on")
        for split, files in self.files.items():
            if isinstance(files, dict):
                unknown = [code for code in files if code not in LANGUAGES]
                if unknown:
                    near = nearest_languages(unknown[0])
                    raise ValueError(f"files of {split} name the unknown language '{unknown[0]}'{near}")
            elif PLACEHOLDER not in files and self.columns.language is None:
                raise ValueError(
                    f"files say nothing of the language of {files}: write {split}: {{eng_Latn: {files}}}, put "
                    f"{PLACEHOLDER} into the name of one file per language, or name columns.language"
                )
        if self.labels is not None and len(set(self.labels)) < max(2, len(self.labels)):
            raise ValueError("labels must be two or more different names")


class Table(ClassificationDataset):
    """Labelled texts, or pairs of them, in files of one's own. They are read whole, once for as long as they stay."""

    Config: ClassVar[type[DatasetConfig]] = TableConfig
    name = "table"
    hub_id = ""

    def __init__(self, config: TableConfig) -> None:
        """Takes the names of files and columns; nothing is read yet."""
        self.config = config
        self.files: dict[str, str | dict[str, str]] = dict(config.files.items())
        self.pairs = config.columns.second_text is not None
        self.columns = config.columns.names
        self._labels: tuple[str, ...] = tuple(config.labels or ())
        self._spoken: dict[str, tuple[str, ...]] = {}
        self.positive = config.positive

    @classmethod
    def from_config(cls, config: DatasetConfig) -> Self:
        """See `Dataset.from_config`.

        Raises:
            DataError: If files and columns are not named.
        """
        if not isinstance(config, TableConfig):
            raise DataError("dataset 'table' must be told its files and columns, which only the section data can")
        return cls(config)

    @property
    def languages(self) -> tuple[str, ...]:
        """FLORES codes of the languages with test texts."""
        return self._languages_in(TEST)

    @property
    def labels(self) -> tuple[str, ...]:
        """See `ClassificationDataset.labels`.

        Raises:
            DataError: If they are not given and the split that is trained on does not hold two.
        """
        if self._labels:
            return self._labels
        split = self.config.train_split
        found = {text.label for code in self._languages_in(split) for text in self._texts(code, split)}
        if len(found) < 2:
            held = f"only {found.pop()!r}" if found else "none"
            raise DataError(f"a classifier needs two labels; the {split} split of the table holds {held}")
        self._labels = tuple(sorted(found))
        return self._labels

    def verify(self) -> None:
        """See `ClassificationDataset.verify`."""
        if self.positive is not None and self.positive not in self.labels:
            near, known = nearest(self.positive, self.labels), ", ".join(self.labels)
            raise DataError(f"positive: no label of the table is called {self.positive!r}{near}; known: {known}")
        for split in self.files:
            languages = self._languages_in(split)
            if not languages:
                raise DataError(f"no language has texts for the {split} split: {self._file(split, PLACEHOLDER)}")
            for code in languages:
                if not list(self.examples(code, split)):
                    raise DataError(f"{self._file(split, code)} holds no text for the {split} split")

    def config_of(self, language: str) -> str:
        """See `Dataset.config_of`."""
        known = list(dict.fromkeys(code for split in self.files for code in self._languages_in(split)))
        if language not in known:
            near = nearest_languages(language, known)
            raise DataError(f"the table has no text in '{language}'{near}; it has {', '.join(known) or 'none at all'}")
        return language

    def check(self, language: str, split: str) -> None:
        """See `Dataset.check`."""
        self.config_of(language)
        if split not in self.files:
            raise DataError(f"the table has no {split} split: data.files names only {' and '.join(self.files)}")
        there = self._languages_in(split)
        if language not in there:
            raise DataError(f"the table's {split} split has no text in {language}, only in {', '.join(there)}")

    def fingerprint(self, language: str, split: str) -> str:
        """The sha256 of the split's examples and of all labels: the same in whatever file and columns they stand."""
        digest = hashlib.sha256(json.dumps(self.labels).encode())
        for example in self.examples(language, split):
            digest.update(json.dumps([example.id, *example.texts, example.label]).encode())
        return f"sha256:{digest.hexdigest()}"

    def examples(self, language: str, split: str) -> Iterator[Example]:
        """See `Dataset.examples`."""
        self.check(language, split)
        labels, file = self.labels, self._file(split, language)
        for number, text in enumerate(self._texts(language, split)):
            if text.label not in labels:
                near = nearest(text.label, labels)
                known = ", ".join(labels)
                raise DataError(f"{file}, {text.place}: unknown label {text.label!r}{near}; known: {known}")
            row_id = text.id or f"{split}-{number:05d}"
            yield Example(row_id, text.text, language, labels.index(text.label), second_text=text.second_text)

    def _languages_in(self, split: str) -> tuple[str, ...]:
        """The languages that a split has texts in; of a file per language it is only seen whether it is there."""
        if split not in self._spoken:
            self._spoken[split] = tuple(self._find_languages(split))
        return self._spoken[split]

    def _find_languages(self, split: str) -> Iterable[str]:
        files = self.files.get(split, {})
        if isinstance(files, dict):
            return files
        if PLACEHOLDER not in files:
            return _texts(self._file(split), self._columns(split))
        before, after = map(re.escape, files.split(PLACEHOLDER, 1))
        folder = Path(self.config.path or ".").expanduser()
        there = (str(file.relative_to(folder)) for file in folder.glob(files.replace(PLACEHOLDER, "*")))
        named = (re.fullmatch(f"{before}(.*){after}", name) for name in there)
        meant = [_MEANINGS.get(match[1], []) for match in named if match]
        found = {codes[0] for codes in meant if len(codes) == 1}
        return (code for code in LANGUAGES if code in found)

    def _file(self, split: str, language: str = PLACEHOLDER) -> Path:
        """The file of a split in a language; a name may have any code that means this language alone."""
        files = self.files[split]
        folder = Path(self.config.path or ".").expanduser()
        if isinstance(files, dict):
            return folder / files[language]
        named = [folder / files.replace(PLACEHOLDER, code) for code in _SPELLINGS.get(language, [])]
        return next((file for file in named if file.is_file()), folder / files.replace(PLACEHOLDER, language))

    def _columns(self, split: str) -> ColumnsConfig:
        """What the columns of a split are called, with the translations in their places."""
        columns = self.config.columns
        if split != TEST:
            return columns
        names = {field: getattr(columns, field) for field in ("text", "second_text")}
        return dataclasses.replace(columns, **{field: self.translated.get(name, name) for field, name in names.items()})

    def _texts(self, language: str, split: str) -> "list[_Text]":
        files = self.files[split]
        own_file = isinstance(files, dict) or PLACEHOLDER in files
        found = _texts(self._file(split, language), self._columns(split), language if own_file else None)
        return found.get(language, [])


class _Text(NamedTuple):
    """A row of a table, its label not yet looked up."""

    place: str
    text: str
    second_text: str | None
    label: str
    id: str | None


def _texts(file: Path, columns: ColumnsConfig, language: str | None = None) -> dict[str, list[_Text]]:
    """Reads a file, once for as long as its size and time stay the same.

    Args:
        file: Of one split.
        columns: What they are called.
        language: Of all rows; None reads it in each.

    Returns:
        The rows by FLORES code.

    Raises:
        DataError: If something is missing or a row is not what it should be, with the row.
    """
    status = file.stat() if file.is_file() else None
    return _read(file, columns, language, (status.st_size, status.st_mtime_ns) if status else None)


@functools.lru_cache(maxsize=64)
def _read(
    file: Path, columns: ColumnsConfig, language: str | None, size_and_time: tuple[int, int] | None
) -> dict[str, list[_Text]]:
    texts: dict[str, list[_Text]] = {}
    ids: dict[tuple[str, str], str] = {}
    wanted = columns.names if language or columns.language is None else (*columns.names, columns.language)
    for place, row in table_rows(file, wanted):
        where = f"{file}, {place}"
        cells = {column: _cell(row[column], column, where) for column in wanted}
        code = language or _language(cells[columns.language or ""], where)
        row_id = cells[columns.id] if columns.id is not None else None
        if row_id is not None and (code, row_id) in ids:
            raise DataError(f"{where}: the id {row_id!r} is that of {ids[code, row_id]} too")
        ids[code, row_id or place] = place
        second = cells[columns.second_text] if columns.second_text is not None else None
        texts.setdefault(code, []).append(_Text(place, cells[columns.text], second, cells[columns.label], row_id))
    return texts


def _cell(value: Any, column: str, where: str) -> str:
    """The text of a cell; a number or a truth value as JSON writes it."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    if not text.strip():
        raise DataError(f"{where}: the column '{column}' is empty")
    return text.strip()


def _language(code: str, where: str) -> str:
    """The FLORES code that a code means.

    Raises:
        DataError: If it means none, or several.
    """
    meanings = _MEANINGS.get(code, [])
    if len(meanings) > 1:
        raise DataError(f"{where}: the language '{code}' may be {' or '.join(meanings)}; write one of these")
    if not meanings:
        raise DataError(f"{where}: unknown language '{code}'{nearest_languages(code)}")
    return meanings[0]


def _meanings() -> dict[str, list[str]]:
    """The FLORES codes that each code of a language may mean; a FLORES code means itself."""
    meanings: dict[str, list[str]] = {}
    for known in LANGUAGES.values():
        for code in known.all_codes:
            meanings.setdefault(code, []).append(known.code)
    return meanings


_MEANINGS = _meanings()
_SPELLINGS = {
    language: [code for code, meant in _MEANINGS.items() if meant == [language]] for language in LANGUAGES
}
"""For each FLORES code the codes that mean this language alone."""
