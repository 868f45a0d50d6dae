"""Paths of an experiment at which nothing can be read or written, and names that no folder can have."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.case import EITHER, REFUSED, Case
from tests.hostile.obstacles import AT_A_FOLDER, CLOSED, NAMES
from tests.hostile.world import World

READ = ("backbone.name", "data.path")
"""Keys of folders that are read."""
WRITTEN = ("store", "runs")
"""Keys of folders that are written."""

EXPERIMENT_NAMES = {
    "of 300 letters": "x" * 300,
    "of 130 letters of three bytes": "\u8a9e" * 130,
    "of 5000 letters": "x" * 5000,
    "with a null character": "a\0b",
    "with half of a character": "\ud83d",
    "with a slash": "a/b",
    "that leads up": "..",
    "that leads further up": "../../up",
    "of a dot": ".",
    "of nothing": "",
    "of a blank": " ",
    "with an end of a line": "a\nb",
    "that begins with a dash": "--help",
    "of control characters": "\x1b[31m",
}
"""By name, names of an experiment."""


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    for key in (*READ, *WRITTEN):
        for command in ("plan", "run"):
            for name, path in NAMES.items():
                # `plan` writes nothing, so that it may take the path for one that is not there yet.
                may_be_new = key in WRITTEN and (command == "plan" or path.startswith("~"))
                yield _case(world, f"{command}: {key} {name}", command, {key: path}, maybe=may_be_new)
            for name, obstacle in AT_A_FOLDER.items():
                setup = functools.partial(_at, "place", obstacle.make)
                may_be_new = key in WRITTEN and (command == "plan" or name == "nothing")
                title = f"{command}: {key} with {name} in its place"
                yield _case(world, title, command, {key: "place"}, setup=setup, maybe=may_be_new)
            for below in ("place", "place/below"):
                setup = functools.partial(_closed, world, key)
                title = f"{command}: {key} {'below' if below != 'place' else 'is'} a folder without permissions"
                yield _case(
                    world, title, command, {key: below}, setup=setup, unprivileged=True, maybe=command == "plan"
                )
    for name, text in EXPERIMENT_NAMES.items():
        for command in ("plan", "run"):
            yield _case(world, f"{command}: a name {name}", command, {"name": text}, maybe=True)


def _case(
    world: World,
    name: str,
    command: str,
    changes: dict[str, str],
    *,
    setup: Callable[[Path], object] | None = None,
    unprivileged: bool = False,
    maybe: bool = False,
) -> Case:
    settings = world.settings(changes | {"combination.language": {}, "stages.language": None})
    return Case(
        name,
        [command, "e.yaml"],
        {"e.yaml": json.dumps(settings)},
        setup=setup,
        codes=EITHER if maybe else REFUSED,
        unprivileged=unprivileged,
        writes=maybe or "runs" in changes,  # the empty folder of the store is made before that of the runs is refused
    )


def _at(place: str, make: Callable[[Path], object], folder: Path) -> None:
    make(folder / place)


def _closed(world: World, key: str, folder: Path) -> None:
    """Makes `place/below` with what the key names, and takes all permissions from `place`."""
    source = {"backbone.name": world.encoder, "data.path": world.texts}.get(key)
    for place in (folder / "place", folder / "place" / "below"):
        place.mkdir()
        if source is not None:
            shutil.copytree(source, place, dirs_exist_ok=True)
    CLOSED.make(folder / "place")
