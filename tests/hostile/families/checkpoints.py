"""Checkpoints that were damaged or made by somebody else: the stage starts again from its beginning, and says so."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from framework.store.store import UNFINISHED
from tests.hostile.case import DONE, Case
from tests.hostile.damage import DAMAGES
from tests.hostile.families.store import component
from tests.hostile.world import World

AGAIN = "starts again from its beginning"
Checkpoint = dict[str, Any]


def interrupt(world: World, folder: Path) -> None:
    """Runs the finished experiment's task stage in a folder until its first step, which leaves a checkpoint."""
    import io

    from rich.console import Console

    import framework.execution.checkpoint
    from framework.errors import Interrupted
    from framework.execution.runner import run_experiment

    world.copy_finished(folder)
    shutil.rmtree(component(folder))
    shutil.rmtree(folder / "runs")
    os.chdir(folder)
    framework.execution.checkpoint.stop_requested = lambda: True
    try:
        run_experiment(Path("e.yaml"), [], Console(file=io.StringIO()))
    except Interrupted:
        return
    raise AssertionError("the training was not interrupted")


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    interrupted = world.folder / "interrupted"
    build = multiprocessing.get_context("fork").Process(target=interrupt, args=(world, interrupted))
    build.start()
    build.join()
    assert build.exitcode == 0

    def case(name: str, change: Callable[[Path], object], **more: Any) -> Case:
        def setup(folder: Path) -> None:
            shutil.copytree(interrupted, folder, dirs_exist_ok=True)
            [checkpoint] = (folder / "store" / UNFINISHED).glob("*.checkpoint")
            change(checkpoint)

        return Case(name, ["run", "e.yaml"], setup=setup, **({"codes": DONE, "says": [AGAIN]} | more))

    yield case("as it was left", os.fspath, says=["task · task adapter"], never=[AGAIN])
    for name, damage in DAMAGES.items():
        silent = name in ("is missing", "is a folder", "is a pipe", "is a link to nowhere", "is a link to itself")
        if name != "is huge":  # reading it takes as long as its size says
            more = {"says": []} if silent else {}
            yield case(name, damage, **more, unprivileged=name == "may not be read")
    for name, content in {
        "garbage": b"garbage" * 1000,
        "a pickle that makes a file": b"cposix\nmkdir\n(S'ran'\ntR.",
        "a zip file's beginning": b"PK\x03\x04" + bytes(1000),
        "nothing": b"",
    }.items():
        yield case(f"{name} with its hash", lambda path, content=content: path.write_bytes(hashed(content)))
    for what, value in {"a list": [], "a number": 7, "a text": "words", "an empty mapping": {}}.items():
        yield case(f"{what} with its hash", lambda path, value=value: save(path, value))
    keys = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "global_step", "epoch", "trained")
    for key in keys:
        yield case(f"without {key}", changed(lambda found, key=key: found.pop(key)), **either(key))
        for what, value in {"a text": "words", "a mapping": {"x": 1}}.items():
            change = changed(lambda found, key=key, value=value: found.update({key: value}))
            yield case(f"{key} that is {what}", change, **either(key))
    for what, value in {"null": None, "a mapping": {"x": 1}}.items():
        yield case(f"a loop that is {what}", changed(lambda found, value=value: found["loops"].update(fit_loop=value)))
    for step in (0, 10**9, 2.5):
        yield case(f"step {step}", changed(lambda found, step=step: found.update(global_step=step)), **either("step"))
    yield case("weights of another shape", changed(reshaped))
    yield case("an optimiser of text", changed(lambda found: found.update(optimizer_states=["words"])))
    yield case("two optimisers", changed(lambda found: found["optimizer_states"].append({})), **either("two"))


def either(key: str) -> dict[str, Any]:
    """Returns what else may come of it: what a training does not need, may be anything."""
    return {"says": []} if key in ("epoch", "validate_loop", "lr_schedulers", "step", "two") else {}


def hashed(content: bytes) -> bytes:
    """Returns the file of a checkpoint with this content."""
    return hashlib.sha256(content).hexdigest().encode() + content


def save(path: Path, value: Any) -> None:
    """Writes any value as a checkpoint."""
    from framework.execution.checkpoint import CheckpointFile

    CheckpointFile().save_checkpoint(value, path)


def changed(change: Callable[[Checkpoint], object]) -> Callable[[Path], None]:
    """Returns what changes a checkpoint, with its hash."""

    def rewrite(path: Path) -> None:
        from framework.execution.checkpoint import CheckpointFile

        found = CheckpointFile().load_checkpoint(path)
        change(found)
        save(path, found)

    return rewrite


def reshaped(found: Checkpoint) -> None:
    """Makes the first of the trained weights longer."""
    name, tensor = next(iter(found["state_dict"].items()))
    found["state_dict"][name] = tensor.new_zeros(len(tensor) + 1, *tensor.shape[1:])
