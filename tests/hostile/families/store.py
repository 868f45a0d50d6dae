"""Components that were edited, cut short or replaced by something else, read by every command that reads them."""

from __future__ import annotations

import functools
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from framework.store.store import HISTORY, PASSPORT, UNFINISHED, WEIGHTS
from tests.hostile.case import EITHER, Case
from tests.hostile.damage import CONTENTS, DAMAGES, edited, variants
from tests.hostile.world import World

DONE_OR_DAMAGED = frozenset({0, 1, 2})
"""`components verify` ends with 1 where a component is damaged."""


def component(folder: Path, stage: str = "task") -> Path:
    """Returns the folder of the finished experiment's component of a stage in the folder of a case."""
    found = [file.parent for file in sorted((folder / "store").glob(f"*/{PASSPORT}"))]
    return next(place for place in found if json.loads((place / PASSPORT).read_text())["stage"] == stage)


def in_finished(world: World, change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Returns a setup: the finished experiment, with a change to the folder of its task component."""

    def setup(folder: Path) -> None:
        world.copy_finished(folder)
        change(component(folder))

    return setup


COMMANDS: dict[str, list[str]] = {
    "list": ["components", "list"],
    "show": ["components", "show", "ID"],
    "verify": ["components", "verify"],
    "push": ["components", "push", "ID", "./shared"],
    "export": ["components", "export", "ID", "./exported", "--format", "adapters"],
    "merge": ["components", "merge", "2*ID"],
    "remove": ["components", "remove", "ID"],
    "run": ["run", "e.yaml"],
    "plan": ["plan", "e.yaml"],
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    identity = component(world.finished).name
    passport = json.loads((component(world.finished) / PASSPORT).read_text())

    def case(name: str, words: list[str], change: Callable[[Path], object], **more: Any) -> Case:
        command = [word.replace("ID", identity) for word in words]
        settings: dict[str, Any] = {"codes": DONE_OR_DAMAGED if "verify" in words else EITHER} | more
        return Case(name, command, setup=in_finished(world, change), **settings)

    readers = [command for command in COMMANDS if command not in ("run", "plan")]
    for number, (name, content) in enumerate(edited(passport)):
        command = readers[number % len(readers)]
        yield case(f"passport {name}: {command}", COMMANDS[command], functools.partial(write, PASSPORT, content))
    for what in ("training", "backbone"):
        values: dict[str, Any] = passport[what]
        for number, (name, value) in enumerate(variants(values)):
            command = ("show", "push")[number % 2]
            text = json.dumps({**passport, what: value})
            change = functools.partial(write, PASSPORT, text)
            yield case(f"passport {what} {name}: {command}", COMMANDS[command], change)
    for file in (PASSPORT, WEIGHTS, HISTORY):
        for name, damage in DAMAGES.items():
            for command in ("show", "push", *(["run"] if name in ("is cut short", "is a pipe", "is huge") else [])):

                def change(folder: Path, file: str = file, damage: Callable[[Path], object] = damage) -> None:
                    damage(folder / file)

                name_of_case = f"{file} {name}: {command}"
                yield case(name_of_case, COMMANDS[command], change, unprivileged=name == "may not be read")
    for name, content in CONTENTS.items():
        yield case(f"curve is {name}: show", COMMANDS["show"], functools.partial(write, HISTORY, content))
    for row in ('{"loss": null}', '{"loss": "low"}', '{"loss": [1]}', '{"loss": {"a": 1}}', "[1]", '{"step": 1e999}'):
        yield case(f"curve of {row}: show", COMMANDS["show"], functools.partial(write, HISTORY, row + "\n"))
    yield from clutter(case)


def clutter(case: Callable[..., Case]) -> Iterator[Case]:
    """Yields what lies where something else should."""

    def unfinished_is_a_file(folder: Path) -> None:
        shutil.rmtree(folder.parent / UNFINISHED, ignore_errors=True)
        (folder.parent / UNFINISHED).write_text("")
        shutil.rmtree(folder)

    def store_is_a_file(folder: Path) -> None:
        shutil.rmtree(folder.parent)
        folder.parent.write_text("")

    def link(folder: Path) -> None:
        folder.rename(folder.parent.parent / "elsewhere")
        folder.symlink_to(folder.parent.parent / "elsewhere")

    def closed(mode: int) -> Callable[[Path], None]:
        return lambda folder: folder.parent.chmod(mode)

    def missing_and_closed(folder: Path) -> None:
        shutil.rmtree(folder)
        folder.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)

    for command in ("run", "list", "remove"):
        words = COMMANDS[command]
        yield case(f"`.unfinished` is a file: {command}", words, unfinished_is_a_file)
        yield case(f"the store is a file: {command}", words, store_is_a_file)
        yield case(f"the component is a link: {command}", words, link, codes=frozenset({0}))
        yield case(f"the store may not be entered: {command}", words, closed(0), unprivileged=True)
        yield case(f"the store may not be written: {command}", words, closed(0o500), unprivileged=True)
        yield case(f"the store lacks one and is closed: {command}", words, missing_and_closed, unprivileged=True)
    for formula in ("0.5*a+" * 1000, "9" * 5000 + "*ID", "0." + "0" * 5000 + "1*ID", "1e5*ID", "ID-ID", "*", ""):
        name = formula if len(formula) < 40 else f"{formula[:20]}… of {len(formula)}"
        yield case(f"merge {name!r}", ["components", "merge", formula], os.fspath)


def write(name: str, content: str | bytes, folder: Path) -> None:
    """Writes a file of a component."""
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
