"""Files that are no YAML, and files that extend others in odd ways."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.hostile.case import DONE, EITHER, REFUSED, Case
from tests.hostile.world import World

PLAN = ("plan", "e.yaml")

CONTENTS: dict[str, str | bytes] = {
    "nothing": "",
    "blanks": "   \n\n",
    "a comment": "# nothing\n",
    "a tab": "name:\n\tx\n",
    "null": "null\n",
    "a list": "- a\n",
    "a word": "word\n",
    "two documents": "name: a\n---\nname: b\n",
    "an end": "...\n",
    "NUL bytes": b"name: a\0b\n",
    "only NUL": b"\0" * 1000,
    "Latin 1": "name: é\n".encode("latin-1"),
    "UTF-16": "name: a\n".encode("utf-16"),
    "UTF-32": "name: a\n".encode("utf-32"),
    "UTF-8 cut short": "name: é".encode()[:-1],
    "a surrogate in UTF-8": b"name: \xed\xa0\x80\n",
    "binary": bytes(range(256)) * 100,
    "gzip": b"\x1f\x8b\x08\x00" + bytes(100),
    "HTML": "<!DOCTYPE html><html><body>404: not found</body></html>\n",
    "JSON cut short": '{"name": "x", "seeds": [0, ',
    "a merge conflict": "<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> branch\n",
    "an undefined anchor": "name: *a\n",
    "an anchor twice": "a: &x 1\nb: &x 2\nname: *x\n",
    "an unknown directive": "%FOO bar\n---\nname: a\n",
    "YAML 9": "%YAML 9.9\n---\nname: a\n",
    "a quote that does not end": "name: 'a\nseeds: [0]\n",
    "a bracket that does not end": "seeds: [0\n",
    "a wrong escape": 'name: "\\q"\n',
    "a huge escape": 'name: "\\UFFFFFFFF"\n',
    "a key twice": "name: a\nname: b\n",
}
COMMANDS = ("run", "explain", "tokenization", "launch", "status", "cancel", "prefetch", "dashboard", "sync")

EXTENDS = ("base.yaml", "5", "null", "{a: b}", "[1]", "[[a]]", "[null]", "[e.yaml]", "['']", "['.']", "['\\0']", "[/]")
ODD_FILES = (
    "loop.yaml",
    "lost.yaml",
    "fifo.yaml",
    "folder.yaml",
    "closed.yaml",
    "closed/e.yaml",
    "e.yaml/x",
    "/dev/zero",
)


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    good = world.experiment()
    for name, content in CONTENTS.items():
        yield Case(f"a file of {name}", PLAN, {"e.yaml": content})
    yield Case("a file of Windows", PLAN, {"e.yaml": good.replace("\n", "\r\n")}, codes=DONE)
    yield Case("a file with a byte order mark", PLAN, {"e.yaml": b"\xef\xbb\xbf" + good.encode()}, codes=DONE)
    for end in range(40, len(good), len(good) // 12):
        yield Case(f"a file cut at {end}", PLAN, {"e.yaml": good[:end]}, codes=EITHER)
    for command in COMMANDS:
        yield Case(f"{command} of a list", [command, "e.yaml"], {"e.yaml": "- a\n"})
        yield Case(f"{command} of binary", [command, "e.yaml"], {"e.yaml": bytes(range(256))})
    for case in extending():
        yield replace(case, files={"base.yaml": good, **case.files})


def extending() -> Iterator[Case]:
    """Files that extend others."""

    def case(name: str, text: str, files: Mapping[str, str] | None = None, **more: Any) -> Case:
        return Case(name, PLAN, {"e.yaml": text, **(files or {})}, **more)

    for value in EXTENDS:
        yield case(f"extends {value}", f"extends: {value}\nname: [\n")
    yield case("extends 300 letters", f"extends: [{'x' * 300}.yaml]\n", says=("extends[0]",))
    yield case("extends 100,000 letters", f"extends: [{'x' * 100_000}]\n", says=("extends[0]",))
    yield case("extends 10,000 names", "extends:\n" + "".join(f"- n{n}.yaml\n" for n in range(10_000)), says=("more",))
    chain = {f"n{n}.yaml": f"extends: [n{n + 1}.yaml]\n" for n in range(500)}
    yield case("extends 500 files in a chain", "extends: [n0.yaml]\n", chain | {"n500.yaml": "x: 1\n"}, says=("files",))
    tree = {f"n{n}.yaml": f"extends: [n{n + 1}.yaml, n{n + 1}.yaml]\n" for n in range(30)}
    yield case("extends two files thirty times", "extends: [n0.yaml]\n", tree | {"n30.yaml": "x: 1\n"}, says=("files",))
    yield case("extends in a circle", "extends: [a.yaml]\n", {"a.yaml": "extends: [e.yaml]\n"}, says=("circle",))
    for name in ODD_FILES:
        yield case(f"extends {name}", f"extends: ['{name}']\n", setup=odd_files, unprivileged=True, codes=REFUSED)
        yield Case(f"the file is {name}", ["plan", name], {"e.yaml": "x: 1\n"}, odd_files, unprivileged=True)


def odd_files(folder: Path) -> None:
    """Makes what is no file, or may not be read."""
    os.symlink("loop.yaml", folder / "loop.yaml")
    os.symlink("gone.yaml", folder / "lost.yaml")
    os.mkfifo(folder / "fifo.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "closed.yaml").touch(mode=0)
    (folder / "closed").mkdir(mode=0)
