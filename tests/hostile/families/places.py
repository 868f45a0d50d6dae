"""Places where components are pushed, exported and pulled: odd folders, closed ones, links; and full disks."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.case import DONE, EITHER, REFUSED, Case
from tests.hostile.families.store import component
from tests.hostile.world import World

CLONE_NEWNS = 0x00020000  # from Linux's sched.h
MS_PRIVATE, MS_REC = 1 << 18, 1 << 14  # from Linux's mount.h


def mount(place: Path, size: int) -> None:
    """Puts a disk of some bytes at a folder, for this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    place.mkdir(exist_ok=True)
    for failed in (
        libc.unshare(CLONE_NEWNS),
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
        libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, f"size={size}".encode()),
    ):
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def can_mount() -> bool:
    """Says whether this user may mount a disk; tried in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            mount(Path("/tmp"), 4096)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family; those of disks only where disks may be mounted, as root on most machines."""
    identity = component(world.finished).name
    commands = {
        "push": ["components", "push", identity],
        "export": ["components", "export", identity, "--format", "adapters"],
    }

    def case(name: str, words: list[str], change: Callable[[Path], object] = os.fspath, **more: Any) -> Case:
        def setup(folder: Path) -> None:
            world.copy_finished(folder)
            change(folder)

        return Case(name, words, setup=setup, **({"codes": REFUSED} | more))

    for command, words in commands.items():
        for place, change in odd_places().items():
            codes = REFUSED if place.startswith("not") else DONE
            closed = "closed" in place
            yield case(f"{command} at {place}", [*words, "./place"], change, codes=codes, unprivileged=closed)
        for place in (".", "./", "~nobody-of-this-name/x", "x" * 300, "a\x01b/\N{SNOWMAN}", "e.yaml", "e.yaml/below"):
            shown = place if len(place) < 40 else "300 letters"
            yield case(f"{command} at {shown!r}, beside other things", [*words, place], codes=EITHER)
    pulls: dict[str, Callable[[Path], object]] = {
        "may not be entered": lambda shared: shared.chmod(0),
        "holds files that may not be read": lambda shared: [file.chmod(0) for file in shared.iterdir()],
        "is a file": lambda shared: (shutil.rmtree(shared), shared.write_text("")),
        "is a link to itself": lambda shared: (shutil.rmtree(shared), shared.symlink_to(shared.name)),
    }
    for name, spoil in pulls.items():

        def shared(folder: Path, spoil: Callable[[Path], object] = spoil) -> None:
            component(folder).rename(folder / "shared")
            spoil(folder / "shared")

        yield case(f"pull of a folder that {name}", ["components", "pull", "./shared"], shared, unprivileged=True)
    if can_mount():
        yield from full_disks(case, world)


def odd_places() -> dict[str, Callable[[Path], object]]:
    """Returns what makes `place`, by what it is; where the name begins with `not`, nothing may be written there."""

    def link(target: str) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            (folder / "there").mkdir()
            (folder / "place").symlink_to(target)

        return make

    def closed_parent(folder: Path) -> None:
        (folder / "above").mkdir()
        (folder / "above" / "place").mkdir()
        (folder / "place").symlink_to("above/place")
        (folder / "above").chmod(0o555)

    return {
        "a new folder": os.fspath,
        "an empty folder": lambda folder: (folder / "place").mkdir(),
        "a link to an empty folder": link("there"),
        "an empty folder in one that is closed": closed_parent,
        "not a link to nowhere": link("nowhere"),
        "not a link to itself": link("place"),
        "not a file": lambda folder: (folder / "place").write_text(""),
        "not a pipe": lambda folder: os.mkfifo(folder / "place"),
        "not a folder of something else": lambda folder: shutil.copytree(folder / "runs", folder / "place"),
        "not a closed folder": lambda folder: (folder / "place").mkdir(mode=0o500),
    }


def full_disks(case: Callable[..., Case], world: World) -> Iterator[Case]:
    """Yields cases of disks that take a few bytes, or none."""

    def disk(name: str, size: int) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            shutil.rmtree(folder / name, ignore_errors=True)
            mount(folder / name, size)

        return change

    identity = component(world.finished).name
    for size in (4096, 8192, 16384, 32768):
        words = ["components", "push", identity, "./place"]
        yield case(f"push to a disk of {size} bytes", words, disk("place", size), writes=True, codes=EITHER)
        for name in ("store", "runs"):
            yield case(f"{name} of {size} bytes", ["run", "e.yaml"], disk(name, size), writes=True, codes=EITHER)
    words = ["run", "e.yaml", "tracking.mode=offline"]
    for size in (4096, 24576, 49152):
        yield case(f"runs of {size} bytes, W&B offline", words, disk("runs", size), writes=True, codes=EITHER)
