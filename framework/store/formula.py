"""Sums of components: formulas such as `0.5*a + 0.5*b`, `a + b - c`, `mean(a, b, c)`, and what they mean."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from framework.errors import UserError
from framework.identity import identity

TERM = re.compile(r"\s*(?P<sign>[+-])?\s*(?:(?P<weight>\d+(?:\.\d+)?)\s*\*\s*)?(?P<name>\w+)")
MEAN = re.compile(r"\s*mean\s*\((?P<names>[^()]*)\)\s*")
SHOWN = 200
"""Characters of a formula that a message shows."""
SHAPE = "write 0.5*A + 0.5*B, A + B - C or mean(A, B)"

Terms = Sequence[tuple[float, Sequence[str]]]
"""Weight and identities of each summand; several identities are the components of one language, side by side."""
LANGUAGE = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
SEED = re.compile(r"seed(\d+)")


def is_language(name: str) -> bool:
    """Says whether a name is written as a FLORES code, and not as an id."""
    return LANGUAGE.fullmatch(name) is not None


def seed_of(name: str) -> int | None:
    """Returns the seed that `seed0` means; None for an id."""
    found = SEED.fullmatch(name)
    return int(found[1]) if found else None


@dataclass(frozen=True)
class Formula:
    """A weighted sum of what names stand for."""

    text: str
    """As it was written."""
    terms: tuple[tuple[float, str], ...]
    """Weight and name of each."""

    @property
    def single(self) -> str | None:
        """The name, where there is nothing but one: then it is that component itself, and nothing is computed."""
        return self.text.strip() if re.fullmatch(r"\s*\w+\s*", self.text) else None


def parse(text: str) -> Formula:
    """Reads a formula.

    Raises:
        UserError: It is none, or names something twice.
    """
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    if mean := MEAN.fullmatch(text):
        names = [name.strip() for name in mean["names"].split(",")]
        if not all(re.fullmatch(r"\w+", name) for name in names):
            raise UserError(f"{shown!r} is no formula: {SHAPE}")
        terms = [(1 / len(names), name) for name in names]
    else:
        terms, place = [], 0
        while place < len(text.rstrip()):
            found = TERM.match(text, place)
            if found is None or (terms and not found["sign"]):
                raise UserError(f"{shown!r} is no formula from {text[place:].strip()[:SHOWN]!r} on: {SHAPE}")
            weight = float(found["weight"] or 1)
            terms.append((-weight if found["sign"] == "-" else weight, found["name"]))
            place = found.end()
    if not terms:
        raise UserError(f"{shown!r} is no formula: {SHAPE}")
    names = [name for _, name in terms]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{shown!r} names {twice} twice")
    if not all(math.isfinite(weight) for weight, _ in terms):
        raise UserError(f"{shown!r} has a weight that is no finite number")
    return Formula(text, tuple(terms))


def merged_identity(terms: Terms, languages: Sequence[str]) -> str:
    """Returns the identity of a sum, a hash of factors and components; it is independent of the order of the terms."""
    return identity(merge=in_order(terms), languages=sorted(languages))


def merged_title(kinds: Iterable[str], shown: str, languages: Sequence[str]) -> str:
    """Names a sum of components: `adapter = mean(seed0, seed1) · eng_Latn`."""
    named = " + ".join(kind.rpartition(".")[2] for kind in kinds) or "head"
    return " · ".join(filter(None, [f"{named} = {shown}", ", ".join(languages)]))


def in_order(terms: Terms) -> list[tuple[float, list[str]]]:
    """Returns the terms in an order that does not depend on how they were written."""
    return sorted((weight, sorted(parts)) for weight, parts in terms)
