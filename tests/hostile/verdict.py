"""Says what is wrong with what came of a hostile input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import REFUSED, Case
from tests.hostile.sandbox import SETUP_FAILED, Outcome

LINES = 60
BYTES = 20_000
"""Most that a message may hold."""

NOISE = re.compile(
    r"^.*(?:Warning: |site-packages|Exception ignored|errors\.pydantic\.dev)"
    r"|^(?:WARNING|ERROR|INFO|DEBUG)\b|^\[[WEIF]\d|^\[rank"
    r"|^(?:wandb|torch|lightning|transformers)\b.*:",
    re.MULTILINE,
)
"""Lines of a library's log."""


def faults(case: Case, outcome: Outcome, folder: Path) -> Iterator[str]:
    """Yields each promise of `tests.hostile` that a command did not keep.

    Args:
        case: The case.
        outcome: What the command did.
        folder: Where it did so.
    """
    printed = outcome.out + outcome.err
    if outcome.code == SETUP_FAILED:
        yield f"the case itself is wrong: {outcome.err.strip().splitlines()[-1]}"
        return
    if outcome.code is None:
        yield f"no end within {outcome.seconds:.0f} seconds"
    elif outcome.code not in case.codes:
        yield f"exit code {outcome.code}, not {' or '.join(map(str, sorted(case.codes)))}"
    if "Traceback (most recent call last)" in printed:
        yield "a traceback"
    if noise := NOISE.search(printed):
        yield f"a line of a library: {noise[0][:120]}"
    refused = outcome.code in REFUSED
    if refused and not outcome.err.strip():
        yield "no message"
    message = printed if refused else outcome.err
    if len(message.splitlines()) > LINES or len(message.encode()) > BYTES:
        yield f"a message of {len(message.splitlines()):,} lines and {len(message.encode()):,} bytes"
    if refused and not case.writes and (changed := _changed(outcome)):
        yield f"written although refused: {', '.join(changed[:5])}"
    if outcome.outside:
        yield f"written elsewhere: {'; '.join(outcome.outside[:3])}"
    if outcome.temporary:
        yield f"temporary files left: {', '.join(outcome.temporary[:3])}"
    if outcome.processes:
        yield f"{outcome.processes} processes left"
    for words in case.says:
        if words not in printed:
            yield f"does not say {words!r}"
    for words in case.never:
        if place := _place_of(words, printed, outcome, folder):
            yield f"{place} holds {words!r}"


def _changed(outcome: Outcome) -> list[str]:
    paths = sorted(outcome.before.keys() | outcome.after.keys())
    return [path for path in paths if outcome.before.get(path) != outcome.after.get(path)]


def _place_of(words: str, printed: str, outcome: Outcome, folder: Path) -> str | None:
    """Returns where the words stand in what a command left, beside the files that it found."""
    if words in printed:
        return "the output"
    for path in _changed(outcome):
        file = folder / path
        if words in path or (file.is_file() and words.encode() in file.read_bytes()):
            return os.fspath(path)
    return None
