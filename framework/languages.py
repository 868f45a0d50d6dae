"""What is said of a language; nothing is known of some codes, those of the user's own datasets."""

from datamodules.languages.table import LANGUAGES


def name_of(code: str) -> str:
    """Returns the English name, or an empty string where it is not known."""
    return LANGUAGES[code].name if code in LANGUAGES else ""


def family_of(code: str) -> str | None:
    """Returns the highest family in Glottolog's sense, or None where it is not known."""
    return LANGUAGES[code].family if code in LANGUAGES else None


def script_of(code: str) -> str | None:
    """Returns the ISO 15924 script that the code names, or None where it names none."""
    return code.partition("_")[2] or None
