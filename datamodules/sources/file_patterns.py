"""Finds the files that a name with `{language}` in it means: one file per language."""

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from datamodules.errors import DataError
from datamodules.languages.table import LANGUAGES, MEANINGS, flores_code
from datamodules.sources.files import HIDDEN, is_file, names_in, shown

PLACEHOLDER = "{language}"
_SHOWN = 3
"""Files that a message names at most."""


@dataclasses.dataclass(frozen=True)
class LanguageFiles:
    """The files whose names match a pattern."""

    by_language: dict[str, Path]
    """By FLORES code, in the order of `LANGUAGES`."""
    others: list[tuple[str, Path]]
    """What else matches, with its code: that means no language, or several; or the path is no file's."""


def not_taken(*found: LanguageFiles) -> str:
    """Words for files that match patterns but are of no language: "; not taken: …", or none where there is no such."""
    others = [other for files in found for other in files.others]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"; not taken: {', '.join(reason(*other) for other in others[:_SHOWN])}{more}" if others else ""


def language_files(folder: Path, pattern: str) -> LanguageFiles:
    """Looks for files.

    Args:
        folder: Where a relative pattern begins.
        pattern: Path with `{language}` in the names of folders, of the file or both, in the place of any code that
            means one language alone. All other characters stand for themselves: stars and brackets are no wildcards.

    Raises:
        DataError: Two files are of one language, or a folder cannot be read.
    """
    path = PurePath(pattern)
    start, parts = (Path(path.anchor), path.parts[1:]) if path.is_absolute() else (folder, path.parts)
    found: dict[str, Path] = {}
    others = []
    for code, file in _matches(start, parts, None):
        meanings = MEANINGS.get(code, ())
        if len(meanings) != 1 or not is_file(file):
            others.append((code, file))
        elif meanings[0] in found:
            raise DataError(f"{found[meanings[0]]} and {file} are both of {meanings[0]}: remove or rename one of them")
        else:
            found[meanings[0]] = file
    return LanguageFiles({code: found[code] for code in LANGUAGES if code in found}, others)


def reason(code: str, file: Path) -> str:
    """Says why a file with a code in its name is not taken."""
    try:
        flores_code(code)
    except DataError as error:
        return f"{shown(file)}: {error}"
    return f"{shown(file)}: this is not a file"


def _matches(folder: Path, parts: tuple[str, ...], code: str | None) -> Iterator[tuple[str, Path]]:
    """Yields the code and the path of everything below a folder that the rest of a pattern matches.

    The code is what the placeholder stands for, once a folder's name has told.
    """
    part, rest = parts[0], parts[1:]
    if PLACEHOLDER not in part:
        named = [(code, part)]
    elif code is not None:
        named = [(code, part.replace(PLACEHOLDER, code))]
    else:
        before, *after = map(re.escape, part.split(PLACEHOLDER))
        expression = re.compile(before + "(.+)" + r"\1".join(after), re.DOTALL)
        names = (name for name in names_in(folder) if not name.startswith(HIDDEN))
        named = [(match[1], name) for name in names if (match := expression.fullmatch(name))]
    for its_code, name in named:
        path = folder / name
        if rest:
            yield from _matches(path, rest, its_code)
        elif its_code is not None and os.path.lexists(path):
            yield its_code, path
