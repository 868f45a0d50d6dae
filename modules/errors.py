"""What goes wrong because of what the user asked for, said in one line."""

import difflib
from collections.abc import Iterable


class ModulesError(ValueError):
    """A backbone, a component or a training setting that cannot work; the message says where, what and what instead."""


class NetworkError(Exception):
    """The hub is out of reach, overloaded or broken: no mistake of the user's, and it may work later."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns `" (did you mean 'nearest'?)"`, or an empty string when nothing known is near."""
    known = list(known)
    alike = [one for one in known if one.casefold() == word.casefold()]
    near = alike or difflib.get_close_matches(word[:100], known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
