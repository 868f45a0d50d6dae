"""Reads an experiment's YAML: `extends`, `key=value` overrides, interpolation and `grid`.

The result is plain data, one dictionary per cell of the grid, and for every key the place where it was written, so that
`framework.config` can say of each mistake in which file and line it stands.
"""

import copy
import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from framework.errors import ExperimentError, Mistake, UserError

Key = tuple[str | int, ...]

PATH_KEYS: frozenset[str] = frozenset({"path", "file", "name", "template"})
"""Keys whose value, when it begins with `./` or `../`, is a path seen from the file that it stands in."""


@dataclass(frozen=True)
class Cell:
    """One cell of the grid: a whole experiment and the grid's values that made it."""

    data: dict[str, Any]
    settings: dict[str, Any]
    unresolved: dict[Key, str] = field(default_factory=dict)
    """Keys whose `${...}` has no value, and why; the data hold the text as it was written."""


@dataclass
class Source:
    """An experiment as it was written."""

    file: Path
    whole: dict[str, Any]
    """All of it as one file would hold it: what it extends and the overrides are in it, its grid is not spelt out."""
    cells: list[Cell]
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


def read(file: Path, overrides: list[str] | None = None) -> Source:
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
    if not file.is_file():
        raise UserError(f"{file}: there is no such experiment file")
    reader = _Reader(file)
    data = reader.load(file, chain=())
    for override in overrides or []:
        reader.override(data, override)
    if reader.mistakes:
        raise ExperimentError(str(file), reader.mistakes)
    source = Source(file, copy.deepcopy(data), [], reader.places)
    grid = data.pop("grid", None) or {}
    # After the grid is spelt out: what refers to a key that the grid varies follows it.
    source.cells += [_interpolated(source, cell) for cell in _expand(file, data, grid, reader.places)]
    return source


class _Reader:
    """Loads files one over the other and remembers where each key was last written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places: dict[Key, str] = {}
        self.mistakes: list[Mistake] = []

    def load(self, file: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
        """Returns the file's content laid over the content of the files that it extends."""
        file = file.resolve()
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
            if path.is_file():
                merged = _merge(merged, self.load(path, (*chain, file)))
            else:
                place = places.get(("extends", number), "")
                self.mistakes.append(Mistake(f"extends[{number}]", f"there is no file {parent}", place))
        self.places.update(places)
        return _merge(merged, own)

    def override(self, data: dict[str, Any], word: str) -> None:
        """Lays one `key=value` of the command line over the data."""
        key, equals, text = word.partition("=")
        if not equals or not key:
            self.mistakes.append(Mistake(word, "an override is written key=value"))
            return
        try:
            value = yaml.load(text, Loader=_Loader)
        except yaml.YAMLError:
            self.mistakes.append(Mistake(key, f"{text!r} is not a YAML value", "command line"))
            return
        # The keys of `grid` hold dots themselves.
        parts = ["grid", key.removeprefix("grid.")] if key.startswith("grid.") else key.split(".")
        for varied in data.get("grid") or {}:
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
        label = "" if file == self.root.resolve() else f"{file.name} "
        try:
            with file.open(encoding="utf-8") as stream:
                loader = _Loader(stream)
                node = loader.get_single_node()
                data = {} if node is None else loader.construct_document(node)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{label}line {mark.line + 1}" if mark else label
            reason = getattr(error, "problem", None) or str(error)
            self.mistakes.append(Mistake("", f"not valid YAML: {reason}", place))
            return {}, {}
        if not isinstance(data, dict):
            self.mistakes.append(Mistake("", "an experiment is a mapping of keys to values", label))
            return {}, {}
        places: dict[Key, str] = {}
        if node is not None:
            _locate(node, (), label, places)
        return _anchor_paths(data, file.parent), places


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, a key given twice being an error, and text read as YAML 1.2 does rather than 1.1.

    So `1e-3` is a number, `off`, `no`, `2026-01-31` and `4:00:00` are text, and only `true` and `false` are truth
    values.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":int", ":timestamp"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Builds a mapping, refusing a key that stands twice in it."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag.endswith((":map", ":seq", ":merge")):  # the base class knows what to do with these
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def _locate(node: yaml.Node, key: Key, label: str, places: dict[Key, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            child = (*key, str(key_node.value))
            places[child] = f"{label}line {key_node.start_mark.line + 1}"
            _locate(value, child, label, places)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            places[*key, number] = f"{label}line {item.start_mark.line + 1}"
            _locate(item, (*key, number), label, places)


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


def _interpolated(source: Source, cell: Cell) -> Cell:
    """Replaces every `${key}` in a cell by the value of that key."""
    try:
        config = OmegaConf.create(cell.data)
    except OmegaConfBaseException as error:  # a brace that is not closed, say
        name = str(getattr(error, "full_key", None) or "")
        key = tuple(int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", name))
        mistake = Mistake(name, str(error).splitlines()[0], source.place(key))
        raise ExperimentError(str(source.file), [mistake]) from error
    unresolved: dict[Key, str] = {}
    data = _resolved(config, (), (), unresolved)
    return Cell({str(key): value for key, value in data.items()}, cell.settings, unresolved)


def _resolved(node: Any, key: Key, above: tuple[Any, ...], unresolved: dict[Key, str]) -> Any:
    """Returns a mapping or a list as plain data, and notes each key below it whose value cannot be had."""
    names = range(len(node)) if isinstance(node, ListConfig) else list(node)
    values: dict[Any, Any] = {}
    for name in names:
        try:
            value = node[name]
            if any(value is container for container in (*above, node)):
                raise InterpolationResolutionError("refers to what it stands in")
        except OmegaConfBaseException as error:
            unresolved[*key, name] = str(error).splitlines()[0]
            value = OmegaConf.to_container(node)[name]  # type: ignore[index]
        is_container = isinstance(value, DictConfig | ListConfig)
        values[name] = _resolved(value, (*key, name), (*above, node), unresolved) if is_container else value
    return list(values.values()) if isinstance(node, ListConfig) else values


def _expand(file: Path, data: dict[str, Any], grid: Any, places: dict[Key, str]) -> list[Cell]:
    """Returns the product of the grid's lists, each value in the place of its key."""
    mistakes = []
    if not isinstance(grid, dict):
        raise ExperimentError(str(file), [Mistake("grid", "maps keys to lists of values", places.get(("grid",), ""))])
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            place = places.get(("grid", key), "")
            mistakes.append(Mistake(f"grid.{key}", "must be a list with at least one value", place))
    if mistakes:
        raise ExperimentError(str(file), mistakes)
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
        cells.append(Cell(cell, settings))
    return cells
