"""Checks plain data against typed dataclasses and says every mistake in a person's words."""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic

from framework.errors import did_you_mean
from framework.system.yaml_documents import Key
from framework.wording import shortened

T = TypeVar("T")

Problem = tuple[Key, str]
"""The key that is wrong and the reason."""

MOST = 100
"""How many mistakes of one section are put into words; each takes a search for what was meant."""

EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
}
"""What pydantic's error types ask for."""

RANGES = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
"""Pydantic's error types of ranges, in words, and where the error has the bound."""


@dataclasses.dataclass(frozen=True)
class Renamed:
    """A key of an experiment that had another name in earlier versions."""

    section: str
    """The section that holds it; empty for a section itself."""
    former: str
    present: str
    dataset: str = ""
    """The only dataset that has the key, which others may use for settings of their own."""

    def __str__(self) -> str:
        """The former key, dotted."""
        return f"{self.section}.{self.former}".lstrip(".")


RENAMED = (Renamed("", "given", "reuse"), Renamed("data", "positive", "positive_class", dataset="table"))


def rename_keys(document: dict[str, Any]) -> list[Problem]:
    """Gives renamed keys of an experiment their present names; returns a problem for each that it holds."""
    problems: list[Problem] = []
    for key in RENAMED:
        holder = document.get(key.section) if key.section else document
        if isinstance(holder, dict) and key.former in holder and key.dataset in ("", holder.get("name")):
            holder.setdefault(key.present, holder.pop(key.former))
            problems.append((tuple(str(key).split(".")), f"was renamed to {key.present}"))
    return problems


def rename_dotted(values: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Returns values by dotted keys with the present names of renamed keys, of an experiment with this dataset."""
    present = {str(key): f"{key.section}.{key.present}".lstrip(".") for key in RENAMED if key.dataset in ("", dataset)}
    return {present.get(key, key): value for key, value in values.items()}


def validate(type_: type[T], data: Any, key: Key = ()) -> tuple[T | None, list[Problem]]:
    """Builds a dataclass from plain data, without any conversion between types.

    Args:
        type_: A pydantic dataclass that forbids unknown keys.
        data: What YAML gave.
        key: Where the data stands in the experiment; it begins the key of each problem.

    Returns:
        The object, or None when there are problems; and the problems.
    """
    try:
        # JSON's strict mode takes a mapping for a dataclass and a whole number for a float, and converts nothing else.
        value = pydantic.TypeAdapter(type_).validate_json(json.dumps(data), strict=True)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
        problems = [_problem(type_, data, key, detail) for detail in details[:MOST]]
        return None, problems + [(key, f"has {len(details) - MOST:,} more mistakes")] * (len(details) > MOST)
    return value, []


def _path(data: Any, detail: Any) -> Key:
    """Returns the key in the data of what is wrong. Pydantic's own path names types where a value may be of several."""
    path: Key = ()
    for part in detail["loc"]:
        steps = dict(enumerate(data)) if isinstance(data, list) else data if isinstance(data, dict) else {}
        if part in steps:
            path, data = (*path, part), steps[part]
    return (*path, detail["loc"][-1]) if detail["type"].startswith("missing") else path


def _problem(type_: type, data: Any, key: Key, detail: Any) -> Problem:
    path = _path(data, detail)
    found = detail["input"]
    match detail["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            known = sorted(_fields(type_, path[:-1]))
            near = did_you_mean(str(path[-1]), known) or _nearby(type_, key, path)
            reason = f"unknown key{near} (known: {', '.join(known)})"
        case "missing" | "missing_argument":
            reason = "is required"
        case "literal_error":
            allowed = re.findall("'([^']*)'", detail["ctx"]["expected"])
            reason = f"{shortened(repr(found))} is not one of {', '.join(allowed)}{did_you_mean(str(found), allowed)}"
        case kind if kind in RANGES:
            words, bound = RANGES[kind]
            nothing = ", or null" if _takes_null(type_, path) else ""
            reason = f"must be {words} {detail['ctx'][bound]:,}{nothing} (found {shortened(json.dumps(found))})"
        case "value_error":
            reason = str(detail["ctx"]["error"])
            # A check of several fields begins its message with the one to change.
            field = reason.partition(" ")[0]
            path = (*path, field) if field in _fields(type_, path) else path
        case kind if kind in EXPECTED:
            reason = f"{shortened(json.dumps(found))} is not {EXPECTED[kind]}"
        case _:
            reason = f"{detail['msg']} (found {shortened(json.dumps(found))})"
    return (*key, *path), reason


def _type_at(type_: Any, path: Key) -> Any:
    """Returns the dataclass that stands at the path, or None where there is none."""
    for part in path:
        type_ = _fields(type_).get(part) if isinstance(part, str) else type_
    return dataclass_in(type_)


def _fields(type_: Any, path: Key = ()) -> dict[str, Any]:
    """Returns the field types of the dataclass that stands at the path, or nothing where there is none."""
    found = _type_at(type_, path)
    return typing.get_type_hints(found) if found is not None else {}


def _takes_null(type_: Any, path: Key) -> bool:
    hint = _fields(type_, path[:-1]).get(str(path[-1])) if path else None
    return type(None) in typing.get_args(hint)


def dataclass_in(type_: Any) -> Any:
    """Returns the dataclass inside `X | None`, `list[X]` or `dict[str, X]`."""
    if dataclasses.is_dataclass(type_):
        return type_
    if typing.get_origin(type_) in (typing.Union, types.UnionType, list, dict):
        found = (dataclass_in(argument) for argument in typing.get_args(type_))
        return next((candidate for candidate in found if candidate is not None), None)
    return None


def _nearby(type_: Any, key: Key, path: Key) -> str:
    """Says where a misplaced key belongs: the nearest place below one of those above it."""
    for depth in range(len(path) - 1, -1, -1):
        above = "".join(f"{part}." for part in (*key, *path[:depth]))
        if found := belongs(_type_at(type_, path[:depth]), str(path[-1]), above):
            return found
    return ""


def belongs(type_: Any, name: str, above: str = "") -> str:
    """Says where in a schema a key of this name belongs: "; did you mean 'languages.targets'?"."""
    for field, inner in _fields(type_).items():
        if above and field == name:
            return f"; did you mean '{above}{field}'?"
        if found := belongs(dataclass_in(inner), name, f"{above}{field}."):
            return found
    return ""
