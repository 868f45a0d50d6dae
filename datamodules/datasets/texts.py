"""Texts without labels, for training language components."""

from typing_extensions import override

from datamodules.datasets.base import TEST, VALIDATION, Dataset
from datamodules.datasets.sib200 import Sib200
from datamodules.errors import DataError
from datamodules.languages.table import LANGUAGES, MEANINGS
from datamodules.languages.table import language as look_up
from datamodules.sources.base import Folder


class FolderTexts(Dataset):
    """Any folder `<language>/{train,validation}.parquet` with a column `text`.

    A language's folder may have its FLORES code or any other code of it: `swh_Latn`, `swh`, `swa` or `sw`.
    """

    name = "texts"
    hub_id = ""
    columns = ("text",)

    def __init__(self, path: str | None = None, revision: str | None = None) -> None:
        if path is None:
            raise DataError("dataset 'texts' is a local folder: it needs a path")
        self.path = path
        self.source = self._folder = Folder(path)

    @property
    def languages(self) -> tuple[str, ...]:
        """FLORES codes of the languages that have a folder."""
        return tuple(filter(self._folders_of, LANGUAGES))

    @override
    def config_of(self, language: str) -> str:
        """Raises DataError too if two folders are of the language, or one may be of another language as well."""
        look_up(language)
        names = self._folders_of(language)
        if len(names) > 1:
            found = " and ".join(names)
            raise DataError(f"the folders {found} of {self.path} are both of {language}: rename one of them")
        if not names and (shared := self._folders_of(language, shared=True)):
            meanings = " or ".join(MEANINGS[shared[0]])
            raise DataError(f"the folder {shared[0]} of {self.path} may be of {meanings}: give it one of these names")
        # a language without a folder falls through to the source, whose message names the path
        return names[0] if names else language

    def _folders_of(self, code: str, *, shared: bool = False) -> list[str]:
        """The folders whose name means this language alone or, of `shared` names, one of several."""
        names = (name for name in LANGUAGES[code].all_codes if (len(MEANINGS[name]) > 1) == shared)
        return list(filter(self._folder.has_config, names))


class Wikipedia(Dataset):
    """Articles of the Wikipedia of 1 November 2023, training split only."""

    name = "wikipedia"
    hub_id = "wikimedia/wikipedia"
    configs = {code: f"20231101.{known.wikipedia}" for code, known in LANGUAGES.items() if known.wikipedia}
    splits = {"train": "train"}
    columns = ("id", "text")
    id_column = "id"


_RENAMED = {
    "ajp_Arab": "apc_Arab_sout3123",
    "apc_Arab": "apc_Arab_nort3139",
    "est_Latn": "ekk_Latn",
    "grn_Latn": "gug_Latn",
    "tgl_Latn": "fil_Latn",
    "zho_Hans": "cmn_Hans",
    "zho_Hant": "cmn_Hant",
}
"""What FLORES+ calls a language that has another code in FLORES-200."""
_TWI = "Akuapem Twi (twi_Latn_akua1239) and Asante Twi (twi_Latn_asan1239)"
_OTHERS_THERE = {
    "aka_Latn": _TWI,
    "twi_Latn": _TWI,
    "kon_Latn": "Kituba (ktu_Latn)",
    "tzm_Tfng": "Standard Moroccan Tamazight (zgh_Tfng)",
}
"""Languages of FLORES-200 whose texts FLORES+ found to be of another one."""


class FloresPlus(Dataset):
    """FLORES+: 997 and 1,012 sentences in each language, translations of each other by `id`.

    SIB-200's sentences, its test sentences among them, are taken from both splits. The hub asks for consent to its
    terms, and has other names for some codes of FLORES-200.
    """

    name = "flores"
    hub_id = "openlanguagedata/flores_plus"
    configs = {code: _RENAMED.get(code, code) for code in Sib200.configs if code not in _OTHERS_THERE}
    splits = {VALIDATION: "dev", TEST: "devtest"}
    parallel = True
    columns = ("id", "text")
    id_column = "id"

    @override
    def config_of(self, language: str) -> str:
        if language in _OTHERS_THERE:
            raise DataError(
                f"{self.name} has no '{language}': in its place FLORES+ has {_OTHERS_THERE[language]}; leave it out, "
                "or name a file of your own"
            )
        return super().config_of(language)
