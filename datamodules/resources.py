"""How much text and labelled data languages have: the classes of Joshi et al. (ACL 2020).

They sort 2,485 languages by their unlabelled text (Wikipedia) and their labelled data (LDC and ELRA catalogues) into
six classes, from 0, "the left-behinds", to 5, "the winners", as of 2019. The classes 5, 4 and 3 have 7, 18 and 28
languages, and all of them stand below. Classes 2, 1 and 0 are not told apart here: what stands in no list is in one of
them, or not in that study at all, which comes to the same, for then it had no data that could be counted.

A class belongs to a language in any script. Names that the study gives to several languages are taken for the standard
one (Arabic, Persian, Malay), and languages that somebody made up have no class.
"""

from __future__ import annotations

from datamodules.languages import LANGUAGES

CLASSES: dict[str, str] = {
    "5": "arb deu eng fra jpn spa zho",
    "4": "cat ces eus fin hin hrv hun ita kor nld pes pol por rus srp swe tur vie",
    # Latin is of class 3 too; no dataset here has it.
    "3": """
        afr arz bel ben bos bul ceb dan ell est glg heb ind kat kaz lat lit lvs ron slk slv tam tgl tha ukr urd uzn zsm
    """,
}
"""ISO 639-3 codes of the languages of a class."""

OTHERS = "0-2"
"""The class of languages that are in no list."""


def resource_class(code: str) -> str | None:
    """Returns a language's class: `5`, `4`, `3` or `0-2`.

    Args:
        code: FLORES code.

    Returns:
        The class; None for a language that is not in `LANGUAGES`, and for those that are drawn from a seed.
    """
    known = LANGUAGES.get(code)
    if known is None or _is_synthetic(known.iso639_3):
        return None
    return next((name for name, codes in CLASSES.items() if known.iso639_3 in codes.split()), OTHERS)


def _is_synthetic(iso639_3: str) -> bool:
    """Whether a code is one of those that ISO 639-3 keeps for private use: qaa to qtz."""
    return "qaa" <= iso639_3 <= "qtz"
