"""Reads YAML as plain data: mappings with text keys, lists, text, finite numbers, booleans and null.

Plain scalars are read as in YAML 1.2, not 1.1: `1e-3` is a number, `off`, `no`, `2026-01-31` and `4:00:00` are text.
Other tags are refused, and so are small files that expand to unbounded data.
"""

import codecs
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from typing_extensions import override

from framework.wording import shortened

Key = tuple[str | int, ...]
"""The path to a value: keys of mappings and indices of lists."""

BYTES = 2**20
"""Maximal size of a file."""
VALUES = 50_000
"""Maximal number of values of a document; those that anchors repeat count each time."""
DEPTH = 50
"""Maximal depth of nested mappings and lists."""
WORD = range(-(2**63), 2**63)
"""Integers that all libraries support."""

TAG = "tag:yaml.org,2002:"

INDENTED_BY_TAB = re.compile(" *\t")


class DocumentError(Exception):
    """The text is not YAML, or not plain data within the bounds."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line  # counted from 1


@dataclass(frozen=True)
class Document:
    """The data of a text."""

    data: Any
    """Plain data; an empty text holds null."""
    lines: dict[Key, int]
    """The line of each key and each item of a list."""


def parse(content: bytes | str) -> Document:
    """Reads a YAML document; bytes must be UTF-8.

    Raises:
        DocumentError: It is not YAML, or not plain data within the bounds.
    """
    if len(content) > BYTES:
        raise DocumentError(f"{len(content):,} bytes are more than a file may hold ({BYTES:,})", 1)
    text = content if isinstance(content, str) else _decoded(content)
    try:
        composer = _Composer(text)
        node = composer.get_single_node()
    except yaml.reader.ReaderError as error:
        raise DocumentError(_forbidden(error.character), text.count("\n", 0, error.position) + 1) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        is_reference = mark is not None and text[: mark.index + 1].endswith("${")
        hint = '; between braces or brackets a reference needs quotes: "${key}"' if is_reference else ""
        if mark is not None and INDENTED_BY_TAB.match(text, mark.index - mark.column):
            hint = "; tabs are not allowed as indentation; use spaces"
        raise DocumentError(f"{error.problem or error.context}{hint}", mark.line + 1 if mark else 1) from error
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF", which PyYAML does not handle
        raise DocumentError("an escape names no character", composer.line + 1) from error
    builder = _Builder()
    data = None if node is None else builder.value(node, ())
    return Document(data, builder.lines)


def _decoded(content: bytes) -> str:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"not UTF-8 text (byte 0x{content[error.start]:02x})", line) from error


def _forbidden(character: int) -> str:
    return f"the character U+{character:04X} is not allowed"


NUMBERS = {
    "bool": re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)$"),
    "float": re.compile(
        r"""^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)
              |[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+
              |[-+]?\.(?:inf|Inf|INF)
              |\.(?:nan|NaN|NAN))$""",
        re.VERBOSE,
    ),
}
"""Patterns of unquoted text that is a boolean or a number, by tag."""


class _Composer(yaml.SafeLoader):
    """PyYAML's parser and composer with our patterns, and with bounds on the document."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    depth = 0
    count = 0

    @override
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        self.count += 1
        if reason := _excess(self.count, self.depth):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, reason, event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for tag, pattern in NUMBERS.items():
    _Composer.add_implicit_resolver(f"{TAG}{tag}", pattern, list("tTfF") if tag == "bool" else list("-+.0123456789"))


def _excess(count: int, depth: int) -> str | None:
    if depth > DEPTH:
        return f"nested more than {DEPTH} deep"
    return f"more than {VALUES:,} values, those that anchors repeat included" if count > VALUES else None


class _Builder:
    """Converts the nodes of a document to plain data and records the lines."""

    def __init__(self) -> None:
        self.lines: dict[Key, int] = {}
        self.count = 0
        self.above: list[yaml.Node] = []

    def value(self, node: yaml.Node, key: Key) -> Any:
        """Returns the value of the node at a key."""
        tag = node.tag.removeprefix(TAG)
        self.count += 1
        if isinstance(node, yaml.ScalarNode) and tag in SCALARS:
            return SCALARS[tag](node)
        if any(node is container for container in self.above):
            raise _error(node, "an anchor is used within itself")
        self.above.append(node)
        if reason := _excess(self.count, len(self.above)):
            raise _error(node, reason)
        if isinstance(node, yaml.MappingNode) and tag == "map":
            built: Any = self.mapping(node, key)
        elif isinstance(node, yaml.SequenceNode) and tag == "seq":
            built = self.list(node, key)
        else:
            written = f"!!{tag}" if tag != node.tag else node.tag
            raise _error(node, f"the tag {shortened(written)} is not supported: write the value without it")
        self.above.pop()
        return built

    def mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        """Returns a mapping. Its own keys override those that `<<` merges, whose first mapping overrides the others."""
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name, value in node.value:
            if name.tag == f"{TAG}merge":
                for other in reversed(value.value if isinstance(value, yaml.SequenceNode) else [value]):
                    if not isinstance(other, yaml.MappingNode):
                        raise _error(value, "<< takes a mapping or a list of mappings")
                    merged |= self.value(other, key)
        for name, value in node.value:
            if name.tag != f"{TAG}merge":
                text = _key(name)
                if text in own:
                    raise _error(name, f"{shortened(text)!r} is given twice")
                self.lines[*key, text] = name.start_mark.line + 1
                own[text] = self.value(value, (*key, text))
        return merged | own

    def list(self, node: yaml.SequenceNode, key: Key) -> list[Any]:
        """Returns a list."""
        self.lines |= {(*key, number): item.start_mark.line + 1 for number, item in enumerate(node.value)}
        return [self.value(item, (*key, number)) for number, item in enumerate(node.value)]


def _error(node: yaml.Node, reason: str) -> DocumentError:
    return DocumentError(reason, node.start_mark.line + 1)


def _key(node: yaml.Node) -> str:
    """Returns a key as it is written: `1` and `true` may be labels."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.removeprefix(TAG) not in SCALARS or not node.value:
        raise _error(node, "a key must be text")
    return _text(node)


def _text(node: yaml.ScalarNode) -> str:
    # Escapes can produce NUL, which is invalid in paths, and surrogates, which are invalid in files.
    if found := re.search("[\0\ud800-\udfff]", node.value):
        raise _error(node, _forbidden(ord(found[0])))
    return str(node.value)


def _null(node: yaml.ScalarNode) -> None:
    if node.value.lower() not in {"", "~", "null"}:  # such as `!!null text`
        raise _error(node, f"{shortened(node.value)!r} is not null")


def _truth(node: yaml.ScalarNode) -> bool:
    return _matched(node, "bool", "true or false").lower() == "true"


def _whole(node: yaml.ScalarNode) -> int:
    text = _matched(node, "int", "a whole number")
    digits = len(text) < 25 and int(text, base=0)  # Python refuses to read thousands of them
    if digits is False or digits not in WORD:
        raise _error(node, f"{shortened(text)} is too large: whole numbers end at 2^63")
    return digits


def _real(node: yaml.ScalarNode) -> float:
    text = _matched(node, "float", "a number with a point").lower()
    number = float(text.replace(".i", "i").replace(".n", "n"))  # YAML writes `.inf` and `.nan`
    if not math.isfinite(number):
        raise _error(node, f"{shortened(node.value)} is not a finite number")
    return number


def _matched(node: yaml.ScalarNode, tag: str, what: str) -> str:
    """Returns the text of a number without underscores; with an explicit tag the text may not be a number."""
    if not NUMBERS[tag].match(node.value):
        raise _error(node, f"{shortened(node.value)!r} is not {what}")
    return str(node.value).replace("_", "")


SCALARS: dict[str, Callable[[yaml.ScalarNode], Any]] = {
    "str": _text, "null": _null, "bool": _truth, "int": _whole, "float": _real
}
"""Converters of text to values, by tag."""
