"""Finds the files that a name with `{language}` in it means: one file per language."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from datamodules.errors import DataError
from datamodules.files import names_in, require_file
from datamodules.languages import LANGUAGES, flores_code

PLACEHOLDER = "{language}"


@dataclasses.dataclass(frozen=True)
class LanguageFiles:
    """The files whose names match a pattern."""

    by_language: dict[str, Path]
    """By FLORES code, in the order of `LANGUAGES`."""
    others: list[str]
    """What else matches, with the reason: its code means no language, or several; or it is no file."""


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
        try:
            language = flores_code(code)
        except DataError as error:
            others.append(f"{file}: {error}")
            continue
        try:
            require_file(file)
        except DataError as error:
            others.append(str(error))
            continue
        if language in found:
            raise DataError(f"{found[language]} and {file} are both of {language}: remove or rename one of them")
        found[language] = file
    return LanguageFiles({code: found[code] for code in LANGUAGES if code in found}, others)


def _matches(folder: Path, parts: tuple[str, ...], code: str | None) -> Iterator[tuple[str, Path]]:
    """Yields the code and the path of everything below a folder whose name matches.

    Args:
        folder: Whose content is looked at.
        parts: The rest of the pattern, folders and a file.
        code: What the placeholder stands for, once a folder's name has told.
    """
    part, rest = parts[0], parts[1:]
    if PLACEHOLDER not in part:
        named = [(code, part)]
    elif code is not None:
        named = [(code, part.replace(PLACEHOLDER, code))]
    else:
        before, *after = map(re.escape, part.split(PLACEHOLDER))
        expression = re.compile(before + "(.+)" + r"\1".join(after), re.DOTALL)
        named = [(match[1], name) for name in names_in(folder) if (match := expression.fullmatch(name))]
    for its_code, name in named:
        path = folder / name
        if rest:
            yield from _matches(path, rest, its_code)
        elif its_code is not None and os.path.lexists(path):
            yield its_code, path
