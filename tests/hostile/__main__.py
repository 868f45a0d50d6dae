"""Carries out the corpus: `python -m tests.hostile [FAMILY…]`; ends with exit code 1 where a promise is not kept."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import multiprocessing
import os
import pkgutil
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.hostile import families
from tests.hostile.case import Case

if TYPE_CHECKING:
    from tests.hostile.world import World

FAMILIES = sorted(module.name for module in pkgutil.iter_modules(families.__path__))


class Result(NamedTuple):
    """What came of one case."""

    family: str
    name: str
    seconds: float
    faults: list[str]
    printed: str
    folder: Path


def main() -> None:
    """Reads the command line, carries out the cases and says which failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"default: all of {', '.join(FAMILIES)}")
    parser.add_argument("-k", default="", metavar="PATTERN", help="only cases in whose name it is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cases at a time")
    parser.add_argument("--show", action="store_true", help="print what every case prints")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this new folder, and leave it there")
    words = parser.parse_args()
    if unknown := set(words.families) - set(FAMILIES):
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    keep = words.keep is not None
    root = words.keep.resolve() if keep else Path(tempfile.mkdtemp(prefix="hostile-"))
    root.mkdir(exist_ok=not keep)
    root.chmod(0o755)  # some cases run as another user
    try:
        sys.exit(report(carry_out_all(words.families or FAMILIES, words.k, root, words.jobs, keep=keep), words.show))
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)


def carry_out_all(names: list[str], pattern: str, root: Path, jobs: int, *, keep: bool) -> Iterator[Result]:
    """Imports everything, builds the world and yields the result of each case whose name holds the pattern."""
    prepare_environment(root)
    import_everything()
    from tests.hostile.world import World

    world = World(root / "world")
    world.folder.mkdir()
    build_and_import(world)
    corpus = [
        (name, case)
        for name in names
        for case in importlib.import_module(f"tests.hostile.families.{name}").cases(world)
        if re.search(pattern, case.name)
    ]
    counts = Counter((family, case.name) for family, case in corpus)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise SystemExit(f"two cases have one name: {twice[0]}")
    gc.freeze()  # else the first collection in each fork copies the whole heap
    yield from _divided(corpus, root, jobs, keep=keep)


def prepare_environment(root: Path) -> None:
    """Sets what libraries read when they are imported: one thread, no network, caches and home in our folder."""
    for name in [name for name in os.environ if name.startswith(("WANDB_", "SLURM_", "HF_", "MODULINGUA_"))]:
        if name != "MODULINGUA_DATA":  # which says where the tests' data lies
            del os.environ[name]
    for name in ("home", "cache", "tmp"):
        (root / name).mkdir()
        (root / name).chmod(0o777)
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "HF_HOME": str(root / "cache" / "huggingface"),
        "MPLCONFIGDIR": str(root / "cache" / "matplotlib"),
    }
    sys.dont_write_bytecode = True


def import_everything() -> None:
    """Imports all that a command imports late, so that no case pays for it."""
    import encodings

    import datamodules
    import framework
    import modules

    for package in (framework, modules, datamodules):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    # Python's own files may be closed to the user without rights, and encodings are imported when they are first used.
    for module in pkgutil.iter_modules(encodings.__path__, "encodings."):
        with contextlib.suppress(ImportError):  # those of Windows
            importlib.import_module(module.name)


def build_and_import(world: World) -> None:
    """Builds the world in a fork, which leaves no threads and caches here, and imports what that imported late."""
    fork = multiprocessing.get_context("fork")
    source, target = fork.Pipe(duplex=False)

    def build() -> None:
        world.build()
        target.send(sorted(sys.modules))

    process = fork.Process(target=build)
    process.start()
    target.close()
    try:
        names = source.recv()
    except EOFError:
        raise SystemExit("the world of the cases could not be built") from None
    process.join()
    for name in names:
        with contextlib.suppress(ImportError):  # some modules are made by others, and not by an import
            importlib.import_module(name)
    world.warm()


def _divided(corpus: list[tuple[str, Case]], root: Path, jobs: int, *, keep: bool) -> Iterator[Result]:
    """Carries out the corpus in as many processes as jobs, each of which forks one child after the other."""
    fork = multiprocessing.get_context("fork")
    sources: list[Connection] = []
    for job in range(jobs):
        source, target = fork.Pipe(duplex=False)
        fork.Process(target=_work, args=(corpus, range(job, len(corpus), jobs), root, keep, target)).start()
        target.close()  # the worker's own is then the last, and its end the end of the pipe
        sources.append(source)
    left = len(corpus)
    while sources:
        for source in wait(sources):
            assert isinstance(source, Connection)
            try:
                yield source.recv()
                left -= 1
            except EOFError:
                sources.remove(source)
    if left:
        raise SystemExit(f"a process of the harness ended early: {left} cases were not carried out")


def _work(corpus: list[tuple[str, Case]], places: range, root: Path, keep: bool, target: Connection) -> None:
    from framework.cli import main as modulingua
    from tests.hostile.sandbox import adopt_orphans, carry_out
    from tests.hostile.verdict import faults

    adopt_orphans()
    for place in places:
        family, case = corpus[place]
        folder = root / f"{family}-{place:04}"
        folder.mkdir()
        try:
            outcome = carry_out(case, folder, modulingua)
            found = list(faults(case, outcome, folder))
            target.send(Result(family, case.name, outcome.seconds, found, outcome.out + outcome.err, folder))
        except Exception:  # a fault of the harness: the other cases can go on
            target.send(Result(family, case.name, 0.0, [traceback.format_exc()], "", folder))
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def report(results: Iterator[Result], show: bool) -> int:
    """Prints each failure and a line for each family; returns the exit code."""
    started = time.monotonic()
    counts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    slow: list[Result] = []
    for result in results:
        counts[result.family] += 1
        failed[result.family] += bool(result.faults)
        slow = sorted([*slow, result], key=lambda one: -one.seconds)[:3]
        if result.faults or show:
            print(f"{'FAILED' if result.faults else 'ok'}  {result.family}: {result.name}  ({result.folder})")
            print("".join(f"    {fault}\n" for fault in result.faults), end="")
            lines = result.printed.splitlines()
            shown = lines if show else lines[-8:]
            print("".join(f"    | {line[:300]}\n" for line in shown), end="", flush=True)
    for family in sorted(counts):
        print(f"{family:<14} {counts[family]:5} cases, {failed[family]} failed")
    print(f"{'all':<14} {counts.total():5} cases, {failed.total()} failed, {time.monotonic() - started:.0f} s")
    print("slowest:", ", ".join(f"{result.family}: {result.name} ({result.seconds:.1f} s)" for result in slow))
    return int(failed.total() > 0)


if __name__ == "__main__":
    main()
