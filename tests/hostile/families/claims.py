"""Claims that nobody keeps up: the stage is carried out, or one message says whose claim it is."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from framework.store.store import UNFINISHED
from tests.hostile.case import DONE, REFUSED, Case
from tests.hostile.families.store import component
from tests.hostile.world import World

LEASE = "filelock/2\npid=1\nhost={host}\nmode={mode}\ntoken=00\nduration={duration}\n"
TIMES = {"of now": 0.0, "of an hour ago": -3600.0, "of tomorrow": 86400.0}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    here = os.uname().nodename
    taken_over = {
        "empty": b"",
        "binary": bytes(range(256)),
        "huge": b"x" * 10_000,
        "a lease of another machine": LEASE.format(host="elsewhere", mode="lease", duration="2.0").encode(),
        "a lease of a process that ended": LEASE.format(host=here, mode="lease", duration="2.0")
        .replace("pid=1", f"pid={2**22 - 1}")
        .encode(),
    }
    refused = {
        "of another machine in the old way": b"1\nelsewhere\n",
        "of a process that lives in the old way": f"{os.getpid()}\n{here}\n".encode(),
        "exclusive": LEASE.format(host="elsewhere", mode="exclusive", duration="2.0").encode(),
        "of a kind that is not known": LEASE.format(host="elsewhere", mode="later", duration="2.0").encode(),
        "a lease of other settings": LEASE.format(host="elsewhere", mode="lease", duration="1e+300").encode(),
    }

    def case(name: str, content: bytes, age: float, codes: frozenset[int], *says: str) -> Case:
        def place(file: Path) -> None:
            file.write_bytes(content)
            os.utime(file, (time.time() + age,) * 2)

        return Case(name, ["run", "e.yaml"], setup=setup(world, place), codes=codes, says=says)

    for when, age in TIMES.items():
        for name, content in taken_over.items():
            yield case(f"{name}, {when}", content, age, DONE)
        for name, content in refused.items():
            yield case(f"{name}, {when}", content, age, REFUSED, "claimed by", "last sign of life", "`rm store/")
    for name, change in {
        "is a folder": Path.mkdir,
        "is a pipe": os.mkfifo,
        "is a link to nowhere": lambda file: file.symlink_to("nowhere"),
        "is a link to itself": lambda file: file.symlink_to(file.name),
    }.items():
        yield Case(name, ["run", "e.yaml"], setup=setup(world, change), codes=DONE)


def setup(world: World, place: Callable[[Path], object]) -> Callable[[Path], None]:
    """Returns a setup: the task stage is left to do and claimed, and claims become stale soon."""

    def prepare(folder: Path) -> None:
        import framework.system.locks

        framework.system.locks.LEASE, framework.system.locks.WRITING, framework.system.locks.POLL = 2.0, 0.5, 0.1
        world.copy_finished(folder)
        task = component(folder)
        shutil.rmtree(task)
        (folder / "store" / UNFINISHED).mkdir(exist_ok=True)
        place(folder / "store" / UNFINISHED / f"{task.name}.claim")

    return prepare
