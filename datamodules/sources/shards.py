"""Whether the files of a split that are numbered `00000-of-00002` are all there, each once."""

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence

from datamodules.errors import DataError

_NUMBERED = re.compile(r"(?P<series>.*?)(?P<part>\d+)-of-(?P<parts>\d+)(-[0-9a-f]+| ?\(\d+\))?\.[^/]+")
"""A path with a number; a checksum may follow it, or the number that a browser gives a copy."""
_SHOWN = 3
"""Missing parts that a message names at most."""


def check_shards(where: str, files: Sequence[str]) -> None:
    """Checks the files of a split, where they are numbered; other files are of no concern.

    They may be of several series, each with a folder or a name of its own.

    Raises:
        DataError: A part is missing (they count from 0 or from 1) or there twice, or files are of series of two
            lengths.
    """
    series: dict[str, list[re.Match[str]]] = defaultdict(list)
    for file in files:
        if match := _NUMBERED.fullmatch(file):
            series[match["series"]].append(match)
    for matches in series.values():
        _check(where, matches)


def _check(where: str, matches: list[re.Match[str]]) -> None:
    """Checks the files of one series."""
    found: dict[int, str] = {}
    parts = int(matches[0]["parts"])
    for match in matches:
        file, part = match[0], int(match["part"])
        if int(match["parts"]) != parts:
            raise DataError(
                f"{where}: {matches[0][0]} is one of {parts} files of a split, {file} one of {int(match['parts'])}: "
                "remove those that are not of the same download"
            )
        if part in found:
            raise DataError(f"{where}: {found[part]} and {file} are the same part of a split: remove one of them")
        found[part] = file
    numbers = range(1, parts + 1) if parts in found and 0 not in found else range(parts)
    missing = list(itertools.islice((part for part in numbers if part not in found), _SHOWN + 1))
    if missing:
        digits = len(matches[0]["part"])
        names = [f"{part:0{digits}}-of-{matches[0]['parts']}" for part in missing[:_SHOWN]]
        more = ", …" if len(missing) > _SHOWN else ""
        raise DataError(
            f"{where} has only {len(found)} of {parts} files of a split: {', '.join(found.values())}; missing: "
            f"{', '.join(names)}{more}; copy the others, or rename these if no more is wanted"
        )
    if len(found) > parts:
        raise DataError(f"{where}: {found[max(found)]} is beyond the last part of a split, which is {numbers[-1]}")
