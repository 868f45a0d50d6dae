"""What is written to the standard input of `predict`, and where its output goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import DONE, REFUSED, Case
from tests.hostile.world import World

GOOD = b"w1 w2\nw3\n"

READ: dict[str, bytes] = {
    "nothing": b"",
    "a line without an end": b"w1",
    "blank lines": b"\n \n\t\n\n",
    "ends of lines of Windows": GOOD.replace(b"\n", b"\r\n"),
    "returns alone": GOOD.replace(b"\n", b"\r"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "only a byte order mark": b"\xef\xbb\xbf",
    "tabs": b"w1\tw2\t\tw3\n",
    "other separators of lines": "w1\u2028w2\u2029w3\x85w4\x0bw5\x0cw6\x1cw7\n".encode(),
    "nothing visible": "\u200b\n\u200d\ufe0f\n\u00a0\n".encode(),
    "null characters": b"\0\nw1\0w2\n" + bytes(1000),
    "special tokens": b"<s> </s> <pad> <mask> <unk>\n",
    "letters of all kinds": "\u0301\u0301\u0301 \U0001f468\u200d\U0001f469 \uffff \U0010ffff\n".encode(),
    "a megabyte in a line": b"w1 " * 350_000 + b"\n",
    "a word of a hundred kilobytes": b"w" * 100_000 + b"\n",
    "many lines": b"w1\n" * 500,
}
"""By name, texts of which each line has an answer."""

UNREADABLE: dict[str, tuple[bytes, str]] = {
    "Latin-1": (b"w1\ncaf\xe9\nw2\n", "line 2: this is not UTF-8"),
    "UTF-16": ("w1\nw2\n".encode("utf-16"), "line 1: this is not UTF-8"),
    "UTF-32": ("w1\nw2\n".encode("utf-32"), "line 1: this is not UTF-8"),
    "a surrogate in UTF-8": (b"w1\n\xed\xa0\x80\n", "line 2: this is not UTF-8"),
    "too long a form": (b"\xc0\xaf\n", "line 1: this is not UTF-8"),
    "half a character at the end": (b"w1\nw2 \xe2\x82", "line 2: this is not UTF-8"),
    "good lines before": (b"w1\n" * 40 + b"\xff\n", "line 41: this is not UTF-8"),
    "all bytes": (bytes(range(256)) * 4, "this is not UTF-8"),
    "many bad lines": (b"\xff\n" * 30, "and 20 more lines"),
}
"""By name, bytes that are not texts, and a part of what is said."""


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    [run] = (str(record.parent) for record in world.finished.glob("runs/tiny/*/run.json"))
    command = ["predict", run, "--language", "swh_Latn"]
    for name, content in READ.items():
        yield Case(name, command, stdin=content, codes=DONE)
    for name, (content, says) in UNREADABLE.items():
        yield Case(name, command, stdin=content, codes=REFUSED, says=(says,))
    for language in ("es", "swa", "deu_Latn", "", "swh_latn", "swh_Latn\0", "\ud83d", "x" * 5000, "swh_Latn,hau_Latn"):
        yield Case(f"the language {language[:20]!a}", [*command[:-1], language], stdin=GOOD)
    for name in ("nowhere", ".", "/dev/null", "/dev/zero", "x" * 300, "e.yaml", "", "a\0b"):
        yield Case(f"the run {name[:20]!a}", ["predict", name, "--language", "swh_Latn"], {"e.yaml": ""}, stdin=GOOD)
    yield Case("the input is closed", command, setup=_close_input, says=("standard input is closed",))
    yield Case("the output is full", command, setup=_fill_output, stdin=GOOD, says=("No space left on device",))


def _close_input(folder: Path) -> None:
    import os
    import sys

    os.close(0)
    sys.stdin = None  # type: ignore[assignment]  # as Python has it then


def _fill_output(folder: Path) -> None:
    import os

    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
