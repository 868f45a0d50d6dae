"""How figures name, order and group languages; and what they call the controls."""

from collections import Counter
from collections.abc import Sequence

from datamodules.errors import DataError
from datamodules.languages import Language, language
from framework.compare.rows import CONTROL_LABELS
from framework.results import CONTROLS, Control

FEW = 10
"""So many languages stand side by side; more stand below one another."""
UNKNOWN = "family unknown"
CONTROL_NAMES: dict[Control, str] = {
    control: CONTROL_LABELS[control].removeprefix("· ") or "own components" for control in CONTROLS
}
"""What stands above a panel."""


def _known(code: str) -> Language | None:
    try:
        return language(code)
    except DataError:  # a language of the user's own dataset
        return None


def name_of(code: str) -> str:
    """Returns the English name, or an empty string where it is not known."""
    known = _known(code)
    return known.name if known else ""


def family_of(code: str) -> str:
    """Returns the language's family, in words of a legend."""
    known = _known(code)
    return known.family if known else UNKNOWN


def script_of(code: str) -> str:
    """Returns the ISO 15924 script that the code names; the code itself where it names none."""
    return code.rpartition("_")[2]


def by_family(languages: Sequence[str]) -> list[str]:
    """Orders languages: those of large families first, those of one family together."""
    sizes = Counter(map(family_of, languages))
    return sorted(languages, key=lambda code: (-sizes[family_of(code)], family_of(code), code))
