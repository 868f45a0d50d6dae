"""The rules of the architecture that the source itself must keep; CONTRIBUTING.md says them in words."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("framework", "modules", "datamodules")

FORBIDDEN_IMPORTS = [
    ("modules", "framework"),
    ("modules", "datamodules"),
    ("datamodules", "framework"),
    ("datamodules", "modules"),
]
ORDER = {
    "framework": "cli reports execution tracking slurm planning config store answers objectives results "
    "validation system errors wording identity languages",
    "datamodules": "unlabelled labelled datasets sources languages batching errors",
    "modules": "training combination formats components backbone disk_cache errors",
}
"""Folders and single files of each package; each imports only what comes after it."""
PLACES = {f"{package}.{name}": place for package in ORDER for place, name in enumerate(ORDER[package].split())}
MOST_FILES = 15

UNSAFE_PACKAGES = {"pickle", "cloudpickle", "dill", "joblib", "shelve"}
HEAVY_PACKAGES = ("torch", "transformers", "adapters", "lightning", "datasets", "wandb", "matplotlib")

SOURCES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imported_packages(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yields the top-level package and the line of each import, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def imported_modules(file: Path) -> Iterator[str]:
    """Yields our modules that a file imports, in functions and for type checkers too; of packages their `__init__`."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(file): file for file in SOURCES}
IMPORTS = {name: {found for found in imported_modules(file) if found in MODULES} for name, file in MODULES.items()}


def folder_of(name: str) -> str:
    """The folder directly below a package, or the module itself if it is in none."""
    return ".".join(name.split(".")[:2])


def cycle(imports: Mapping[str, set[str]]) -> list[str]:
    """Returns modules or folders each of which imports the next, the last the first; nothing where there are none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_files_import_each_other() -> None:
    assert cycle({name: found - {name} for name, found in IMPORTS.items()}) == []


def test_folders_import_in_one_direction() -> None:
    upwards = [
        f"{name} imports {found}"
        for name, imports in IMPORTS.items()
        for found in imports
        if name.split(".")[0] == found.split(".")[0] and folder_of(name) in PLACES and folder_of(found) in PLACES
        if PLACES[folder_of(found)] < PLACES[folder_of(name)]
    ]
    assert upwards == []


def test_every_folder_has_a_place_in_the_order() -> None:
    faces = set(PACKAGES)
    assert {folder_of(name) for name in MODULES} - faces == set(PLACES)


def test_no_folder_is_crowded() -> None:
    counts = Counter(file.parent for file in SOURCES if file.name != "__init__.py")
    crowded = {str(folder.relative_to(ROOT)) for folder, count in counts.items() if count > MOST_FILES}
    assert crowded == {"datamodules/datasets"}, "a list of alike things may be long"


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
    ],
)
def test_a_cycle_is_found(imports: dict[str, set[str]], found: list[str]) -> None:
    assert sorted(cycle(imports)) == sorted(found)


@pytest.mark.parametrize(("package", "forbidden"), FORBIDDEN_IMPORTS)
def test_arrows_between_the_packages_go_one_way(package: str, forbidden: str) -> None:
    crossings = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in SOURCES
        if file.is_relative_to(ROOT / package)
        for imported, line in imported_packages(tree_of(file))
        if imported == forbidden
    ]
    assert not crossings, f"{package} must not import {forbidden}"


def test_nothing_unpickles_foreign_files() -> None:
    unsafe = []
    for file in SOURCES:
        tree = tree_of(file)
        imports = imported_packages(tree)
        unsafe += [(file.name, line, name) for name, line in imports if name in UNSAFE_PACKAGES]
        unsafe += [(file.name, node.lineno, "load") for node in ast.walk(tree) if is_unsafe_load(node)]
    assert not unsafe


def is_unsafe_load(node: ast.AST) -> bool:
    """Is this `torch.load` without `weights_only=True`, or anything with `allow_pickle=True`?"""
    if not isinstance(node, ast.Call):
        return False
    settings = {word.arg: ast.unparse(word.value) for word in node.keywords}
    is_torch_load = ast.unparse(node.func) == "torch.load"
    if is_torch_load and settings.get("weights_only") != "True":
        return True
    return settings.get("allow_pickle") == "True"


@pytest.mark.parametrize(
    ("source", "unsafe"),
    [
        ("torch.load(f)", True),
        ("torch.load(f, weights_only=False)", True),
        ("torch.load(f, weights_only=True)", False),
        ("np.load(f, allow_pickle=True)", True),
        ("json.load(f)", False),
    ],
)
def test_the_check_for_unsafe_loading_bites(source: str, unsafe: bool) -> None:
    assert any(is_unsafe_load(node) for node in ast.walk(ast.parse(source))) == unsafe


def test_no_file_names_a_path_of_one_machine() -> None:
    # Written in two halves, or this file would name them.
    machine_path = re.compile(r"(?<![\w.])/(?:wo" + r"rk|tmp/w|home/\w+|Users/\w+)(?:/|\b)")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    named = []
    for name in listing.stdout.splitlines():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        named += [f"{name}: {line.strip()}" for line in text.splitlines() if machine_path.search(line)]
    assert not named


@pytest.mark.parametrize(
    ("page", "folders_of"),
    [
        ("README.md", lambda text: re.split(r":\s", text)[-1].split()),
        ("CONTRIBUTING.md", lambda text: re.findall(r"(?m)^  (\w+)/", text)),
    ],
)
def test_the_folders_named_are_those_that_are_there(page: str, folders_of: Callable[[str], list[str]]) -> None:
    tree = re.search(r"```text\n(framework/.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert tree is not None
    parts = re.split(r"(?m)^(\w+)/", tree[1])
    named = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert named.keys() == {*PACKAGES, "experiments"}
    for package in PACKAGES:
        found = [file.parent.name for file in (ROOT / package).glob("*/__init__.py")]
        assert sorted(folders_of(named[package])) == sorted(found)


def run_python(code: str, *arguments: str) -> str:
    """Returns what a fresh interpreter prints; the wide terminal keeps help texts on one line."""
    environment = os.environ | {"COLUMNS": "200"}
    command = [sys.executable, "-c", code, *arguments]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def test_help_names_every_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"\bmodulingua ([a-z]+)|^\| `([a-z]+)[ `]", readme, flags=re.MULTILINE))
    commands = {command for found in commands for command in found if command}
    assert commands, "the README shows no command"
    shown = run_python("from framework.cli import main; main()", "--help")
    assert {command for command in commands if not re.search(rf"\b{command}\b", shown)} == set()


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    loaded = run_python("import sys, framework.cli; print(*{name.partition('.')[0] for name in sys.modules})")
    assert set(loaded.split()).isdisjoint(HEAVY_PACKAGES)
