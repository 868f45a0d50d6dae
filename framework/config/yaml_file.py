"""Reads an experiment's YAML: `extends`, `key=value` overrides, interpolation and `grid`.

The result is plain data, one dictionary per cell of the grid, and for every key the place where it was written, so that
`framework.config.load` can name the file and line of each mistake.
"""

import copy
import itertools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.config.interpolation import interpolate
from framework.errors import ExperimentError, Mistake, UserError
from framework.system.atomic_files import is_folder, names_in
from framework.system.yaml_documents import BYTES, DEPTH, Document, DocumentError, Key, parse
from framework.wording import shortened

CELLS = 1_000
"""Most cells of a grid."""
FILES = 100
"""Most files that an experiment may be put together of, each counted as often as it is extended."""

URL = re.compile("(?:https?|file|hf|s3|gs):/")
"""How an address begins, as a path holds it."""

PATH_KEYS: frozenset[str] = frozenset({"path", "file", "name", "template"})
"""Keys whose value, when it begins with `./` or `../`, is a path seen from the file that it stands in."""


@dataclass(frozen=True)
class GridCell:
    """One cell of the grid: a whole experiment and the grid's values that made it."""

    data: dict[str, Any]
    settings: dict[str, Any]
    unresolved: dict[Key, str] = field(default_factory=dict)
    """Keys whose `${...}` has no value, and why; the data hold the text as it was written."""


@dataclass
class ExperimentSource:
    """An experiment as it was written."""

    whole: dict[str, Any]
    """All of it as one file would hold it: what it extends and the overrides are in it, its grid is not spelt out."""
    cells: list[GridCell]
    places: dict[Key, str] = field(default_factory=dict)
    """Where each key was written: `line 4`, `../data/sib200.yaml line 2` or the override itself."""

    def place(self, key: Key) -> str:
        """Returns the place of the key, or of the nearest key above it that was written down."""
        parts = [key[:end] for end in range(len(key), 0, -1)]
        # The grid's values lie over all others.
        places = [self.places.get(("grid", dotted(part))) for part in parts] + [self.places.get(part) for part in parts]
        return next(filter(None, places), "")


def dotted(key: Key) -> str:
    """Writes a key as a person does: `languages.targets[1]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def read(file: Path, overrides: list[str] | None = None) -> ExperimentSource:
    """Reads an experiment file with all that it extends.

    Args:
        file: The YAML file.
        overrides: `key=value` words of the command line; they win over every file.

    Returns:
        The grid's cells (one where there is no grid) and the place of each key.

    Raises:
        UserError: There is no such file.
        ExperimentError: The YAML cannot be read or extends itself. What interpolates a key that is not there is told by
            the cell, so that it can be said with the other mistakes.
    """
    if not _is_file(file):
        raise UserError(_no_file(file))
    reader = _Reader(file)
    data = reader.load(file, chain=())
    for override in overrides or []:
        reader.override(data, override)
    if reader.mistakes:
        raise ExperimentError(str(file), reader.mistakes)
    whole = copy.deepcopy(data)
    grid = data.pop("grid", None) or {}
    return ExperimentSource(whole, _expand(file, data, grid, reader.places), reader.places)


class _Reader:
    """Loads files one over the other and remembers where each key was last written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = 0
        self.places: dict[Key, str] = {}
        self.mistakes: list[Mistake] = []

    def load(self, file: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
        """Returns the file's content laid over the content of the files that it extends."""
        file = file.resolve()
        self.files += 1
        if self.files > FILES:
            raise ExperimentError(str(self.root), [Mistake("extends", f"puts more than {FILES} files together")])
        if file in chain:
            circle = " -> ".join(step.name for step in (*chain[chain.index(file) :], file))
            self.mistakes.append(Mistake("extends", f"the files extend each other in a circle: {circle}"))
            return {}
        own, places = self._parse(file)
        merged: dict[str, Any] = {}
        parents = own.pop("extends", [])
        if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
            place = places.get(("extends",), "")
            self.mistakes.append(Mistake("extends", "must be a list of paths to YAML files", place))
            parents = []
        for number, parent in enumerate(parents):
            path = file.parent / parent
            if _is_file(path):
                merged = _merge(merged, self.load(path, (*chain, file)))
            else:
                place = places.get(("extends", number), "")
                self.mistakes.append(Mistake(f"extends[{number}]", f"there is no file {shortened(parent)}", place))
        self.places.update(places)
        return _merge(merged, own)

    def override(self, data: dict[str, Any], word: str) -> None:
        """Lays one `key=value` of the command line over the data."""
        key, equals, text = word.partition("=")
        if not equals or not key:
            self.mistakes.append(Mistake(word, "an override is written key=value"))
            return
        try:
            value = parse(text).data
        except DocumentError as error:
            self.mistakes.append(Mistake(key, f"{shortened(text)!r} is not a YAML value: {error}", "command line"))
            return
        # The keys of `grid` hold dots themselves.
        parts = ["grid", key.removeprefix("grid.")] if key.startswith("grid.") else key.split(".")
        if len(parts) > DEPTH:
            self.mistakes.append(Mistake(key, f"nested more than {DEPTH} deep", "command line"))
            return
        grid = data.get("grid")
        for varied in grid if isinstance(grid, dict) else ():
            if parts[0] != "grid" and f"{key}.".startswith(f"{varied}."):
                reason = f"the grid sets {varied}; override grid.{varied}=[…], or take it away with grid=null"
                self.mistakes.append(Mistake(key, reason, "command line"))
        target = data
        for depth, part in enumerate(parts[:-1], start=1):
            if not isinstance(target.get(part), dict):
                target[part] = {}
                self.places[tuple(parts[:depth])] = "command line"
            target = target[part]
        target[parts[-1]] = value
        below = [place for place in self.places if place[: len(parts)] == tuple(parts)]
        for place in below:
            del self.places[place]
        self.places[tuple(parts)] = "command line"

    def _parse(self, file: Path) -> tuple[dict[str, Any], dict[Key, str]]:
        """Returns the content of one file and the places of its keys; an empty mapping for one with mistakes."""
        label = "" if file == self.root.resolve() else f"{file.name} "
        try:
            document = _document(file)
        except DocumentError as error:
            self.mistakes.append(Mistake("", f"not valid YAML: {error}", f"{label}line {error.line}"))
            return {}, {}
        data = {} if document.data is None else document.data
        if not isinstance(data, dict):
            self.mistakes.append(Mistake("", "an experiment is a mapping of keys to values", label))
            return {}, {}
        places = {key: f"{label}line {line}" for key, line in document.lines.items()}
        anchored = _anchor_paths(data, file.parent)
        if "name" in data:  # the experiment's own, which is no path
            anchored["name"] = data["name"]
        return anchored, places


def _no_file(path: Path) -> str:
    """Says what stands in place of an experiment file."""
    if URL.match(str(path)):
        address = str(path).replace(":/", "://", 1)  # a path has no two slashes in a row
        return f"{address}: is a URL; download the file and name it here"
    if is_folder(path):
        names = [name for name in names_in(path) if name.endswith((".yaml", ".yml"))]
        way_out = f"name a file in it, such as {', '.join(names[:3])}" if names else "there is no YAML file in it"
        return f"{path}: is a folder; {way_out}"
    return f"{path}: there is no such experiment file"


def _is_file(path: Path) -> bool:
    """Says whether there is such a file; a folder that may not be entered or a name that is too long holds none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _document(file: Path) -> Document:
    """Reads a file, and no more of it than a document may hold."""
    try:
        with file.open("rb") as stream:
            content = stream.read(BYTES + 1)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    return parse(content)


def _anchor_paths(data: Any, folder: Path) -> Any:
    if isinstance(data, list):
        return [_anchor_paths(item, folder) for item in data]
    if not isinstance(data, dict):
        return data
    anchored = {}
    for key, value in data.items():
        is_path = key in PATH_KEYS and isinstance(value, str) and value.startswith(("./", "../"))
        anchored[key] = str((folder / value).resolve()) if is_path else _anchor_paths(value, folder)
    return anchored


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lays one mapping over another: mappings are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _expand(file: Path, data: dict[str, Any], grid: Any, places: dict[Key, str]) -> list[GridCell]:
    """Returns the product of the grid's lists, each value in the place of its key."""
    mistakes = []
    if not isinstance(grid, dict):
        raise ExperimentError(str(file), [Mistake("grid", "maps keys to lists of values", places.get(("grid",), ""))])
    for key, values in grid.items():
        place = places.get(("grid", key), "")
        if not isinstance(values, list) or not values:
            mistakes.append(Mistake(f"grid.{key}", "must be a list with at least one value", place))
        elif key.count(".") >= DEPTH:
            mistakes.append(Mistake(f"grid.{key}", f"nested more than {DEPTH} deep", place))
    if mistakes:
        raise ExperimentError(str(file), mistakes)
    size = math.prod(map(len, grid.values()))
    if size > CELLS:
        reason = f"has {size:,} cells ({' × '.join(str(len(values)) for values in grid.values())}), more than {CELLS:,}"
        raise ExperimentError(str(file), [Mistake("grid", reason, places.get(("grid",), ""))])
    cells = []
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        cell = copy.deepcopy(data)
        for key, value in settings.items():
            *parents, last = key.split(".")
            target = cell
            for parent in parents:
                if not isinstance(target.get(parent), dict):
                    target[parent] = {}
                target = target[parent]
            target[last] = copy.deepcopy(value)
        # After the grid's values are in: what refers to a key that the grid varies follows it.
        interpolated, unresolved = interpolate(cell)
        cells.append(GridCell(interpolated, settings, unresolved))
    return cells
