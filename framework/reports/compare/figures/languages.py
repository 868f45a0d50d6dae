"""How figures order languages and name their families; and what they call the controls."""

from collections import Counter
from collections.abc import Sequence

from framework.languages import family_of
from framework.reports.compare.score_rows import CONTROL_LABELS
from framework.results.run_folder import CONTROLS, Control

FEW = 10
"""So many languages stand side by side; more stand below one another."""
UNKNOWN = "family unknown"
CONTROL_NAMES: dict[Control, str] = {
    control: CONTROL_LABELS[control].removeprefix("· ") or "own components" for control in CONTROLS
}
"""What stands above a panel."""


def family_label(code: str) -> str:
    """Returns the language's family, in words of a legend."""
    return family_of(code) or UNKNOWN


def by_family(languages: Sequence[str]) -> list[str]:
    """Orders languages: those of large families first, those of one family together."""
    sizes = Counter(map(family_label, languages))
    return sorted(languages, key=lambda code: (-sizes[family_label(code)], family_label(code), code))
