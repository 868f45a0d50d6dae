"""Which files of a dataset repository hold a split, on the hub and in a local folder alike.

The README of a repository may list them, in its header:

    configs:
    - config_name: hau
      data_files:
      - {split: validation, path: data/hau/dev-*.parquet}

An entry may have the key `data_dir` too: the folder of these paths, or, without `data_files`, the one in which the
config's files are found by their names.

Without such a list, names of folders and files tell. A config's files lie in `<config>/` or `data/<config>/`, and those
of the config `default` also outside of any; a split there is one of

    train.tsv                         one file
    train-00000-of-00002.parquet …    several
    train/0000.parquet …              a folder, as in the branches refs/convert/parquet that the hub's viewer writes

or `<split>/<config>.jsonl`, a folder of each split.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

import yaml
from typing_extensions import override

from datamodules.errors import DataError, first_line, nearest
from datamodules.sources.files import HIDDEN, open_file
from datamodules.sources.shards import check_shards

README = "README.md"
_SEPARATORS = {"csv": ",", "tsv": "\t"}
"""What separates the cells of a line, by the kind of file."""
_TEXT_KINDS = (*_SEPARATORS, "jsonl", "json")
KINDS = ("parquet", *_TEXT_KINDS, *(f"{kind}.gz" for kind in _TEXT_KINDS))
"""Ends of the names of data files."""
_READ = f"parquet, {', '.join(_TEXT_KINDS)}; all but parquet also .gz"
_NO_DATA = frozenset({"config.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json"})
"""Files of this kind that `datasets` writes beside the data."""

_FILE = re.compile(
    r"(?P<split>.+?)(?P<part>-\d+(-of-(?P<parts>\d+))?(-[0-9a-f]+)?)?"
    rf"\.(?P<kind>{'|'.join(map(re.escape, KINDS))})"
)
_HEADER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)
_LARGEST = 10_000_000
"""Bytes of a README that are looked at. That of a dataset of 200 languages has a few hundred thousand."""
_MOST_NESTED = 100
"""Lists and mappings within each other in the header of a README."""
_DEEPEST = 10
"""Folders within each other that the pattern `**` looks into."""
_SPELLINGS = {"validation": ("dev", "valid", "val")}
"""Other names of splits, where files are found by their names; the hub's viewer knows the same."""

Card = Mapping[str, Any]
"""The header of a README."""


class Tree(Protocol):
    """The folders and files of a repository. Paths are relative to it and have slashes; "" is the repository itself."""

    def files(self, folder: str) -> list[str]:
        """The names of the files in a folder, in order; none if there is no such folder."""

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in a folder, in order; none if there is no such folder."""


class Listed(Tree):
    """The tree of files whose paths are known."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._files: dict[str, list[str]] = defaultdict(list)
        self._folders: dict[str, dict[str, None]] = defaultdict(dict)
        for path in sorted(paths):
            folder, _, name = path.rpartition("/")
            self._files[folder].append(name)
            while folder:
                folder, _, name = folder.rpartition("/")
                self._folders[folder][name] = None

    @override
    def files(self, folder: str) -> list[str]:
        return self._files.get(folder, [])

    @override
    def folders(self, folder: str) -> list[str]:
        return list(self._folders.get(folder, ()))


class Layout:
    """Finds the files of splits, by the header of the README (empty if there is none) and by their names."""

    def __init__(self, where: str, tree: Tree, card: Card) -> None:
        self.where = where
        self.tree = tree
        self._entries = _by_config(card.get("configs"))
        self._info = _by_config(card.get("dataset_info"))

    def files(self, config: str, split: str) -> list[str]:
        """The paths of a split's files, in order.

        Raises:
            DataError: There is no such config or split, two files may be meant, one of several is missing or there
                twice, or the README says of the config what cannot be followed.
        """
        splits = self._splits(config)
        if not splits and config in self.configs:
            raise DataError(f"{self.where}: '{config}' has no file that is read ({_READ})")
        if not splits:
            raise DataError(f"{self.where} has no '{config}'{nearest(config, self.configs)}")
        name = next((name for name in (split, *_SPELLINGS.get(split, ())) if name in splits), None)
        if name is None:
            raise DataError(f"{self.where}: '{config}' has no split '{split}'; found: {', '.join(splits)}")
        found = splits[name]
        if len(found) > 1:
            first, second = (files[0] for files in found[:2])
            raise DataError(
                f"{self.where}: '{config}' has two sources of the split '{split}', {first} and {second}: remove one"
            )
        check_shards(self.where, found[0])
        return found[0]

    @property
    def configs(self) -> list[str]:
        """The configs that there are."""
        folders = [name for name in self.tree.folders("") if name != "data"]
        return [*self._entries, *(name for name in (*folders, *self.tree.folders("data")) if name not in self._entries)]

    def label_names(self, config: str) -> dict[str, list[str]]:
        """By column the names of labels that are numbers in the files, alone or in lists, where the README has them."""
        features = self._info.get(config, {}).get("features")
        if not isinstance(features, list):
            return {}
        named = {feature.get("name"): _names_in(feature) for feature in features if isinstance(feature, dict)}
        return {column: names for column, names in named.items() if isinstance(column, str) and names}

    def _splits(self, config: str) -> dict[str, list[list[str]]]:
        """By the name of each split the sources that it may have, each with its files."""
        if listed := self._listed_splits(config):  # none, if a local copy of the repository was arranged anew
            return listed
        splits = self._in_folders(config, f"data/{config}", *(("", "data") if config == "default" else ()))
        for folder in self.tree.folders(""):
            names = {f"{config}.{kind}" for kind in KINDS}
            found = [[_joined(folder, name)] for name in self.tree.files(folder) if name in names]
            splits[folder] = splits.get(folder, []) + found
        return {split: files for split, files in splits.items() if files}

    def _listed_splits(self, config: str) -> dict[str, list[list[str]]]:
        """The same by the README's entry for the config.

        Raises:
            DataError: The files lie elsewhere, or cells are separated otherwise than in other files of their kind.
        """
        entry = self._entries.get(config, {})
        folder = entry.get("data_dir") if isinstance(entry.get("data_dir"), str) else None
        patterns = {
            split: [_joined(folder or "", path) for path in paths]
            for split, paths in _patterns(entry.get("data_files")).items()
        }
        for path in (folder or "", *itertools.chain.from_iterable(patterns.values())):
            if "://" in path or ".." in _parts(path):
                raise DataError(f"{self.where}: the files of '{config}' lie elsewhere ({path}), which is not read")
        if patterns:
            found = {split: [files] for split, paths in patterns.items() if (files := self._matching(paths))}
        else:
            found = {} if folder is None else self._in_folders(_joined(*_parts(folder)))
        for file in (file for sources in found.values() for files in sources for file in files):
            self._check_separator(config, entry, file)
        return found

    def _check_separator(self, config: str, entry: Mapping[str, Any], file: str) -> None:
        """Refuses a file whose cells are separated otherwise than in others of its kind."""
        own = _SEPARATORS.get(file.removesuffix(".gz").rpartition(".")[2])
        said = entry.get("delimiter") or entry.get("sep") or own
        if own is not None and str(said).replace("\\t", "\t") != own:
            raise DataError(
                f"{self.where}: by {README}, cells of '{config}' are separated by {said!r}, but {file} is read with "
                f"{own!r}; write a copy of the files with {own!r}, and take this key out of its {README}"
            )

    def _in_folders(self, *folders: str) -> dict[str, list[list[str]]]:
        """The same by the names of files and folders in some folders."""
        sources: dict[str, dict[object, list[str]]] = defaultdict(lambda: defaultdict(list))
        for base in folders:
            for name in self.tree.files(base):
                if match := _data_file(name):
                    kind = bool(match["part"]), bool(match["parts"]), match["kind"]
                    sources[match["split"]][base, kind].append(_joined(base, name))
            for split in self.tree.folders(base):
                for name in self.tree.files(_joined(base, split)):
                    if match := _data_file(name):
                        sources[split][base, match["kind"]].append(_joined(base, split, name))
        return {split: list(found.values()) for split, found in sources.items()}

    def _matching(self, patterns: list[str]) -> list[str]:
        """The files that patterns match, each once, in the order of the patterns."""
        found = dict.fromkeys(path for parts in map(_parts, patterns) if parts for path in self._below("", parts))
        return [path for path in found if _data_file(path.rpartition("/")[2])]

    def _below(self, folder: str, parts: list[str], depth: int = 0) -> Iterator[str]:
        """Yields the files below a folder that the parts of a pattern match."""
        first, rest = parts[0], parts[1:]
        if first == "**" and depth <= _DEEPEST:
            yield from self._below(folder, rest or ["*"], depth)
        for name in self.tree.folders(folder):
            if first == "**" and depth <= _DEEPEST and not name.startswith("."):
                yield from self._below(_joined(folder, name), parts, depth + 1)
            elif rest and fnmatchcase(name, first):
                yield from self._below(_joined(folder, name), rest, depth)
        if not rest and first != "**":
            yield from (_joined(folder, name) for name in self.tree.files(folder) if fnmatchcase(name, first))


def card_of(readme: Path) -> Card:
    """Reads the header of a README.

    Raises:
        DataError: The file cannot be read, or begins with a header that is not YAML, or no mapping.
    """
    with open_file(readme) as stream:
        return read_card(stream.read(_LARGEST).decode(errors="replace"), str(readme))


def read_card(text: str, file: str) -> Card:
    """Reads the header of a README's text; messages name the file. Raises the same errors."""
    header = _HEADER.match(text)
    if header is None:
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is 10 times faster, where libyaml is there
    try:
        _refuse_depth(header[1], loader)
        card = yaml.load(header[1], Loader=loader)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{file}: its header is not YAML: {first_line(error)}") from error
    if not isinstance(card, dict):
        raise DataError(f"{file}: its header is not a mapping")
    return card


def _refuse_depth(text: str, loader: Any) -> None:
    """Raises ValueError for lists within lists so deep that reading them would end the process, or never end."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_NESTED:
            raise ValueError(f"its lists and mappings are nested more than {_MOST_NESTED} deep")


def _by_config(entries: Any) -> dict[str, dict[str, Any]]:
    """The entries of `configs` or `dataset_info`, by the name of their config."""
    found = entries if isinstance(entries, list) else [entries]
    return {str(entry.get("config_name", "default")): entry for entry in found if isinstance(entry, dict)}


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """By split the patterns of an entry `data_files`: a text, texts, or mappings of a split and its path or paths."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in data_files if isinstance(data_files, list) else [data_files]:
        split, path = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else ("train", entry)
        found[str(split)] += [one for one in (path if isinstance(path, list) else [path]) if isinstance(one, str)]
    return {split: patterns for split, patterns in found.items() if patterns}


def _names_in(feature: Mapping[str, Any]) -> list[str] | None:
    """The names of a README's feature that is a class label or a list of them."""
    for value in feature.values():
        if not isinstance(value, dict):
            continue
        names = value["class_label"].get("names") if isinstance(value.get("class_label"), dict) else None
        if isinstance(names, dict):  # by number
            names = [names[number] for number in sorted(names, key=lambda number: (len(str(number)), str(number)))]
        if isinstance(names, list):
            return [str(name) for name in names]
        if found := _names_in(value):
            return found
    return None


def _data_file(name: str) -> re.Match[str] | None:
    """The parts of a data file's name; nothing of another file's."""
    return None if name in _NO_DATA or name.startswith(HIDDEN) else _FILE.fullmatch(name)


def _parts(path: str) -> list[str]:
    """The names in a path of a README."""
    return [part for part in path.split("/") if part not in ("", ".")]


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)
