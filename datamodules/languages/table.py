"""Languages: the FLORES codes that Modulingua uses everywhere, with their names, scripts and families.

A code is an ISO 639-3 language and an ISO 15924 script, `swh_Latn`. `languages.tsv` holds the 205 languages of
SIB-200 and those that the other datasets add. Datasets have codes of their own (`swa`, `sw`): each maps
them in its own file.
"""

import csv
import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import DataError


@dataclass(frozen=True)
class Language:
    """A language in one script."""

    code: str
    """FLORES code: `swh_Latn`."""
    name: str
    """English name: `Swahili`."""
    family: str
    """Highest family in Glottolog's sense; `isolate` and `constructed` where there is none."""
    wikipedia: str | None
    """Code of its Wikipedia (mostly ISO 639-1): `sw`. None where there is none in this script."""
    macro_codes: tuple[str, ...]
    """Other codes that datasets use for it, such as its macro-language: `swa`."""

    @property
    def iso639_3(self) -> str:
        """The language without its script: `swh`."""
        return self.code.split("_")[0]

    @property
    def script(self) -> str:
        """ISO 15924 script: `Latn`."""
        return self.code.split("_")[1]

    @property
    def all_codes(self) -> tuple[str, ...]:
        """All that a dataset may call it, the most exact first: `swh_Latn`, `swh`, `swa`, `sw`."""
        wikipedia = (self.wikipedia,) if self.wikipedia else ()
        return tuple(dict.fromkeys((self.code, self.iso639_3, *self.macro_codes, *wikipedia)))


def language(code: str) -> Language:
    """Looks a language up by its FLORES code.

    Raises:
        DataError: If no such language is known, with the nearest ones.
    """
    if code not in LANGUAGES:
        raise DataError(f"unknown language '{code}'{nearest_languages(code)}")
    return LANGUAGES[code]


NEAR = 0.6
"""How similar two spellings are, from 0 to 1, of which the one is offered for the other."""


def nearest_languages(text: str, among: Collection[str] | None = None) -> str:
    """Words for the languages nearest to what somebody wrote.

    Args:
        text: A misspelt code, another kind of code (`swa`, `sw`) or an English name.
        among: FLORES codes to choose from; None for all that are known.

    Returns:
        "; nearest: swh_Latn (Swahili)", or an empty string where nothing is near.
    """
    known = [LANGUAGES[code] for code in (LANGUAGES if among is None else among) if code in LANGUAGES]
    scored = sorted(((_similarity(text, candidate), candidate) for candidate in known), key=lambda pair: -pair[0])
    best = [pair for pair in scored[:3] if pair[0] >= NEAR]
    if best and best[0][0] == 1:
        best = [pair for pair in best if pair[0] == 1]
    names = ", ".join(f"{candidate.code} ({candidate.name})" for _, candidate in best)
    return f"; nearest: {names}" if names else ""


def _similarity(text: str, candidate: Language) -> float:
    """1 where `text` is another name of the candidate, less where it only looks like one."""
    wanted = text[:100].strip().lower()
    spellings = [spelling.lower() for spelling in (*candidate.all_codes, candidate.name)]
    if wanted in spellings or wanted.split("_")[0] in spellings[1:]:
        return 1.0
    matchers = (difflib.SequenceMatcher(None, wanted, spelling) for spelling in spellings)
    # The quick ratio is an upper bound, and most languages stay below what `nearest_languages` asks for.
    return max(matcher.ratio() if matcher.quick_ratio() >= NEAR else 0.0 for matcher in matchers)


def rows_of(file: Path) -> list[dict[str, str]]:
    """Reads a CSV or TSV file with a header."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if file.suffix == ".tsv" else ","))


LANGUAGES: dict[str, Language] = {
    row["code"]: Language(
        row["code"], row["name"], row["family"], row["wikipedia"] or None, tuple(row["other_codes"].split())
    )
    for row in rows_of(Path(__file__).with_name("languages.tsv"))
}
"""All known languages by FLORES code."""


def _meanings() -> dict[str, tuple[str, ...]]:
    meanings: dict[str, tuple[str, ...]] = {}
    for known in LANGUAGES.values():
        for code in known.all_codes:
            meanings[code] = (*meanings.get(code, ()), known.code)
    return meanings


MEANINGS: dict[str, tuple[str, ...]] = _meanings()
"""The FLORES codes that each code of a language may mean: one for `sw`, two for `zh`; a FLORES code means itself."""


def flores_code(code: str) -> str:
    """Returns the FLORES code that a code in a user's files means: `swh_Latn`, `swh`, `swa` or `sw`.

    Raises:
        DataError: If it means none, or several.
    """
    meanings = MEANINGS.get(code, ())
    if len(meanings) > 1:
        raise DataError(f"the language '{code}' may be {' or '.join(meanings)}; write one of these")
    if not meanings:
        raise DataError(f"unknown language '{code}'{nearest_languages(code)}")
    return meanings[0]
