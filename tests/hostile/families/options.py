"""Options and arguments of the commands: paths that are none, and values out of range."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.hostile.case import DONE, EITHER, REFUSED, Case
from tests.hostile.world import World

RUNS = "runs/tiny"

WRONG = {
    "compare": (
        ("--metric", "nonsense"),
        ("--metric", ""),
        ("--metric", "x" * 5000),
        ("--baseline", "nonsense"),
        ("--baseline", ""),
        ("--group", "nonsense"),
        ("--group", ""),
        ("--by", "nonsense"),
        ("--by", ""),
        ("--by", "."),
        ("--by", "seed", "--rows", "nonsense"),
        ("--pretrained-on", "nonsense"),
        ("--nonsense", "1"),
        ("--metric",),
    ),
    "analyze": (
        ("--metric", "nonsense"),
        ("--target", "nonsense"),
        ("--target", ""),
        ("--target", "x" * 5000),
        ("--target", "swh_Latn", "--sources", ""),
        ("--target", "swh_Latn", "--sources", ",,,"),
        ("--target", "swh_Latn", "--sources", "x,y"),
        ("--pretraining", "nonsense"),
        ("--pretraining", "."),
        ("--pretraining", "/dev/null"),
    ),
}
"""Options that the runs know nothing of; empty texts may mean that nothing is given."""

PATHS = {
    "300 letters": "x" * 300,
    "5000 letters": "x/" * 2500,
    "a file": "e.yaml",
    "below a file": "e.yaml/x",
    "a link to nowhere": "lost",
    "a link to itself": "loop",
    "a FIFO": "fifo",
    "a folder that may not be entered": "closed/x",
    "a folder that may not be written": "fixed/x",
    "a user that is not there": "~nobody-here/x",
    "nothing": "",
    "NUL": "a\udc00b",
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family; nothing, as a path, is the working folder."""

    def case(name: str, *words: str, **more: Any) -> Case:
        def setup(folder: Path) -> None:
            world.copy_finished(folder)
            odd_paths(folder)

        return Case(name, words, setup=setup, unprivileged=True, **more)

    yield case("a good compare", "compare", RUNS, codes=DONE)
    for command, options in WRONG.items():
        for words in options:
            codes = EITHER if words[-1] == "" else REFUSED
            yield case(f"{command} {' '.join(words)[:60]}", command, RUNS, *words, codes=codes)
    for name, path in PATHS.items():
        yield case(f"compare of {name}", "compare", path, codes=EITHER)
        yield case(f"compare --out {name}", "compare", RUNS, "--out", path, codes=EITHER)
        yield case(f"compare --out {name}.md", "compare", RUNS, "--out", f"{path}.md", codes=EITHER, writes=True)
        yield case(f"analyze --out {name}", "analyze", RUNS, "--out", path, codes=EITHER, writes=True)
        yield case(f"plan of {name}", "plan", path, codes=DONE if path == "e.yaml" else REFUSED)
        yield case(f"predict by {name}", "predict", path, "--language", "swh_Latn")
        yield case(f"sync of {name}", "sync", path)
        yield case(f"components list of {name}", "components", "list", "--store", path, codes=EITHER)
        codes = EITHER | {1}  # where a component is damaged, or cannot be read
        yield case(f"components verify of {name}", "components", "verify", "--store", path, codes=codes)
    for language in ("", "nonsense", "x" * 5000, "swh", "eng_Latn\n"):
        yield case(f"predict in {language[:20]!r}", "predict", RUNS, "--language", language)


def odd_paths(folder: Path) -> None:
    """Makes what no command can use."""
    os.symlink("gone", folder / "lost")
    os.symlink("loop", folder / "loop")
    os.mkfifo(folder / "fifo")
    (folder / "closed").mkdir(mode=0)
    (folder / "fixed").mkdir(mode=0o555)
