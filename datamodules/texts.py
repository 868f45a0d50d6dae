"""Texts without labels, for training language components."""

from __future__ import annotations

from datamodules.dataset import TEST, VALIDATION, Dataset, Example
from datamodules.errors import DataError
from datamodules.languages import LANGUAGES, MEANINGS
from datamodules.languages import language as look_up
from datamodules.row import Row
from datamodules.sib200 import Sib200
from datamodules.source import Folder


class FolderTexts(Dataset):
    """Any folder `<language>/{train,validation}.parquet` with a column `text`.

    A language's folder may have its FLORES code or any other code of it: `swh_Latn`, `swh`, `swa` or `sw`.
    """

    name = "texts"
    hub_id = ""
    columns = ("text",)

    def __init__(self, path: str | None = None, revision: str | None = None) -> None:
        """See `Dataset.__init__`; here the folder is needed."""
        if path is None:
            raise DataError("dataset 'texts' is a local folder: it needs a path")
        super().__init__(path, revision)
        self.path = path
        self._folder = Folder(path)

    @property
    def languages(self) -> tuple[str, ...]:
        """FLORES codes of the languages that have a folder."""
        return tuple(code for code in LANGUAGES if self._names_of(code))

    def config_of(self, language: str) -> str:
        """See `Dataset.config_of`.

        Raises:
            DataError: The language is unknown, two folders are of it, or one that may be of another language too.
        """
        look_up(language)
        names = self._names_of(language)
        if len(names) > 1:
            found = " and ".join(names)
            raise DataError(f"the folders {found} of {self.path} are both of {language}: rename one of them")
        if not names and (shared := self._shared_name_of(language)):
            meanings = " or ".join(MEANINGS[shared])
            raise DataError(f"the folder {shared} of {self.path} may be of {meanings}: give it one of these names")
        # a language without a folder falls through to the source, whose message names the path
        return names[0] if names else language

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """See `Dataset.to_example`."""
        return Example(row_id, row.text("text"), language)

    def _names_of(self, code: str) -> list[str]:
        """The folders whose name means this language alone."""
        alone = (name for name in LANGUAGES[code].all_codes if MEANINGS[name] == (code,))
        return [name for name in alone if self._folder.has_config(name)]

    def _shared_name_of(self, code: str) -> str | None:
        """A folder whose name means this language or another one."""
        shared = (name for name in LANGUAGES[code].all_codes if len(MEANINGS[name]) > 1)
        return next(filter(self._folder.has_config, shared), None)


class Wikipedia(Dataset):
    """Articles of the Wikipedia of 1 November 2023, training split only."""

    name = "wikipedia"
    hub_id = "wikimedia/wikipedia"
    configs = {code: f"20231101.{known.wikipedia}" for code, known in LANGUAGES.items() if known.wikipedia}
    splits = {"train": "train"}
    columns = ("id", "text")

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """See `Dataset.to_example`."""
        return Example(row.name("id"), row.text("text"), language)


class FloresPlus(Dataset):
    """FLORES+: 997 and 1,012 sentences in each language, translations of each other by `id`.

    SIB-200's sentences, its test sentences among them, are taken from both splits.
    """

    name = "flores"
    hub_id = "openlanguagedata/flores_plus"
    configs = Sib200.configs | {"tgl_Latn": "fil_Latn", "zho_Hans": "cmn_Hans", "zho_Hant": "cmn_Hant"}
    splits = {VALIDATION: "dev", TEST: "devtest"}
    parallel = True
    columns = ("id", "text")

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """See `Dataset.to_example`."""
        return Example(row.name("id"), row.text("text"), language)
