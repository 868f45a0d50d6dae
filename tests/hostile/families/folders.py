"""Folders of parquet files: labelled texts and files of pairs, damaged or of other types than they should be."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.hostile.case import DONE, REFUSED, Case
from tests.hostile.obstacles import AT_A_FILE, AT_A_FOLDER, CLOSED
from tests.hostile.world import World

VALUES: dict[str, tuple[Any, str]] = {
    "a list": (["w1"], "holds a list, not a text"),
    "a list of lists": ([["w1"]], "holds a list, not a text"),
    "a mapping": ({"a": "w1"}, "holds a mapping, not a text"),
    "a number": (7, "holds a number, not a text"),
    "a fraction": (0.5, "holds a number, not a text"),
    "NaN": (float("nan"), "holds a number, not a text"),
    "true": (True, "holds a truth value, not a text"),
    "bytes": (b"caf\xe9", "holds bytes that are not UTF-8"),
    "a date": (date(2020, 1, 31), "not a text"),
    "a decimal number": (Decimal("1.50"), "not a text"),
    "null": (None, "is empty"),
    "nothing": ("", "is empty"),
}
"""By name a value in the place of a text, and a part of what is said."""

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "only the magic number": lambda content: b"PAR1",
    "only its beginning": lambda content: content[: len(content) // 2],
    "without its beginning": lambda content: content[len(content) // 2 :],
    "with zeros in its pages": lambda content: content[:8] + bytes(200) + content[208:],
    "with ones in its pages": lambda content: content[:8] + b"\xff" * 200 + content[208:],
    "with zeros in its footer": lambda content: content[:-100] + bytes(92) + content[-8:],
    "with a footer longer than itself": lambda content: content[:-8] + b"\xff\xff\xff\x7fPAR1",
    "with a negative length of its footer": lambda content: content[:-8] + b"\xff\xff\xff\xffPAR1",
    "text": lambda content: b"index_id,category,text\n",
}
"""By name, what is made of a parquet file."""

METADATA: dict[str, bytes] = {
    "no JSON": b"{no json",
    "no UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
}
"""By name metadata of `datasets` that cannot be read."""

ODD_METADATA: dict[str, Any] = {
    "a list": [1],
    "an unknown type": {"info": {"features": {"text": {"_type": "os.system"}}}},
    "a type that is a number": {"info": {"features": {"text": {"_type": 7}}}},
    "features that are a list": {"info": {"features": ["text"]}},
    "labels without names": {"info": {"features": {"category": {"_type": "ClassLabel"}}}},
    "labels whose names are numbers": {"info": {"features": {"category": {"_type": "ClassLabel", "names": [1, 2]}}}},
    "a list within itself": {"info": {"features": {"text": {"feature": {"feature": {"feature": 1}}}}}},
}
"""By name metadata of `datasets` that says nothing of use."""


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    labelled = world.experiment({"data.path": "texts", "combination.language": {}, "stages.language": None})
    case = functools.partial(_case, world, labelled)
    first = {"train": "eng_Latn/train", "validation": "eng_Latn/validation", "test": "swh_Latn/test"}
    for split, file in first.items():
        path = Path("texts", f"{file}.parquet")
        for name, (value, says) in VALUES.items():
            change = functools.partial(_set, path, "text", value)
            yield case(f"{split}: a text is {name}", change, reads=True, says=says)
        for name, damage in DAMAGES.items():
            yield case(f"{split}: a file is {name}", functools.partial(_damage, path, damage), reads=True)
        for name, obstacle in AT_A_FILE.items():
            says = "" if name == "a folder" else obstacle.says  # no split is looked for in a folder of such a name
            yield case(f"{split}: {name} in its place", functools.partial(_replace, path, obstacle), says=says)
            for part in ("a part", "the other part"):
                parts = functools.partial(_split, path, obstacle, part == "a part")
                yield case(f"{split}: {name} in the place of {part}", parts, says=says, reads=True)
        yield case(f"{split}: parts with other columns", functools.partial(_split_columns, path), reads=True)
        for name, place in {"file": path, "folder": path.parent, "folder above": path.parent.parent}.items():
            close = functools.partial(_close, place)
            yield case(f"{split}: a {name} without permissions", close, unprivileged=True, says=CLOSED.says)
        for name, metadata in METADATA.items():
            says = "its metadata of `datasets` is not JSON"
            yield case(f"{split}: metadata that is {name}", _metadata(path, metadata), reads=True, says=says)
        for name, entry in ODD_METADATA.items():
            odd = _metadata(path, json.dumps(entry).encode())
            yield case(f"{split}: metadata with {name}", odd, codes=DONE)
    for name, obstacle in AT_A_FOLDER.items():
        for place in ("texts", "texts/eng_Latn", "texts/swh_Latn"):
            replace = functools.partial(_replace, Path(place), obstacle)
            yield case(f"{name} in the place of {place}", replace, says=obstacle.says)
    for name in ("[v2] daten", "what? sib*", "{x}", "a'b\"c", "#1 %41", "\u202etxet"):
        yield _named(world, name)
    yield from _pairs(world)


def _pairs(world: World) -> Iterator[Case]:
    """Yields cases of a file of pairs, which aligns a language."""
    objective = {"alignment": {"parallel": {"file": "pairs.KIND", "max_length": 24}}}
    good = "target\tpivot\n" + "w1 w2\tw3 w4\n" * 8
    contents = {
        "Latin-1": ("tsv", good.encode() + b"caf\xe9\tw1\n", "line 10: this is not UTF-8"),
        "UTF-16": ("tsv", good.encode("utf-16"), ""),
        "one cell": ("tsv", (good + "w1\n").encode(), "line 10: 1 cells"),
        "a list": ("jsonl", b'{"target": ["w1"], "pivot": "w2"}\n', "holds a list, not a text"),
        "a number": ("jsonl", b'{"target": 7, "pivot": "w2"}\n', "holds a number, not a text"),
        "half of a character": ("jsonl", b'{"target": "\\ud83d", "pivot": "w2"}\n', "lone surrogate"),
        "no text": ("tsv", b"target\tpivot\n\t\n", ""),
        "no rows": ("tsv", b"target\tpivot\n", ""),
        "no columns": ("tsv", b"", "there is no column 'target'"),
        "two columns of one name": ("tsv", b"target\tpivot\tpivot\nw1\tw2\tw3\n", "2 columns are called 'pivot'"),
        "no parquet": ("parquet", b"PAR1", "cannot be read as parquet"),
    }
    for name, (kind, content, says) in contents.items():
        text = world.experiment({"stages.language.objective": objective}).replace("KIND", kind)
        files = {"e.yaml": text, f"pairs.{kind}": content}
        yield Case(f"pairs: {name}", ["run", "e.yaml"], files, says=(says,) if says else (), writes=True)
    text = world.experiment({"stages.language.objective": objective}).replace("KIND", "tsv")
    for name, obstacle in AT_A_FILE.items():
        setup = functools.partial(_at, "pairs.tsv", obstacle.make)
        yield Case(f"pairs: {name}", ["plan", "e.yaml"], {"e.yaml": text}, setup=setup, says=(obstacle.says,))
    close = functools.partial(_at, "pairs.tsv", CLOSED.make)
    content = {"e.yaml": text, "pairs.tsv": good}
    yield Case(
        "pairs: no permission", ["plan", "e.yaml"], content, setup=close, unprivileged=True, says=(CLOSED.says,)
    )


def _at(place: str, make: Callable[[Path], object], folder: Path) -> None:
    make(folder / place)


def _case(
    world: World,
    experiment: str,
    name: str,
    change: Callable[[Path], object],
    *,
    reads: bool = False,
    codes: frozenset[int] = REFUSED,
    says: str = "",
    unprivileged: bool = False,
) -> Case:
    def setup(folder: Path) -> None:
        shutil.copytree(world.texts, folder / "texts")
        change(folder)

    return Case(
        name,
        ["plan", "e.yaml", *(["--data"] if reads else [])],
        {"e.yaml": experiment},
        setup=setup,
        codes=codes,
        says=(says,) if says else (),
        unprivileged=unprivileged,
    )


def _named(world: World, name: str) -> Case:
    """A folder with a name that others take for a pattern."""
    text = world.experiment({"data.path": f"./{name}", "combination.language": {}, "stages.language": None})

    def setup(folder: Path) -> None:
        shutil.copytree(world.texts, folder / name)

    return Case(f"a folder called {name}", ["plan", "e.yaml"], {"e.yaml": text}, setup=setup, codes=DONE)


def _replace(path: Path, obstacle: Any, folder: Path) -> None:
    obstacle.replace(folder / path)


def _close(path: Path, folder: Path) -> None:
    CLOSED.make(folder / path)


def _damage(path: Path, damage: Callable[[bytes], bytes], folder: Path) -> None:
    content = (folder / path).read_bytes()
    (folder / path).write_bytes(damage(content))


def _set(path: Path, column: str, value: Any, folder: Path) -> None:
    """Gives all cells of a column, or only the last if that is possible, a value."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / path)
    values = table.column(column).to_pylist()
    cells = [*values[:-1], value] if value is None or isinstance(value, str) else [value] * len(values)
    place = table.schema.get_field_index(column)
    pyarrow.parquet.write_table(table.set_column(place, column, pyarrow.array(cells)), folder / path)


def _metadata(path: Path, metadata: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(folder / path)
        pyarrow.parquet.write_table(table.replace_schema_metadata({b"huggingface": metadata}), folder / path)

    return change


def _parts(path: Path, folder: Path) -> tuple[Path, Path]:
    """Makes two parts of a file; each has all of its rows."""
    file = folder / path
    parts = tuple(file.with_name(f"{file.stem}-0000{number}-of-00002.parquet") for number in range(2))
    for part in parts:
        shutil.copyfile(file, part)
    file.unlink()
    return parts[0], parts[1]


def _split(path: Path, obstacle: Any, first: bool, folder: Path) -> None:
    parts = _parts(path, folder)
    obstacle.replace(parts[0] if first else parts[1])


def _split_columns(path: Path, folder: Path) -> None:
    import pyarrow.parquet

    _, second = _parts(path, folder)
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(second).drop_columns(["text"]), second)
