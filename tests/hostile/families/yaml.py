"""YAML files that are broken, huge, deep or made to do harm."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.case import DONE, Case
from tests.hostile.world import World


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    yield Case("a good one", ["plan", "e.yaml"], {"e.yaml": world.experiment()}, codes=DONE)
    yield Case("a word for a list", ["plan", "e.yaml"], {"e.yaml": "seeds: banana\n"}, says=("line 1  seeds",))
