"""The reference of all that a YAML may say, read off the schema: `make docs` writes it down."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_types
from pydantic.fields import FieldInfo

from datamodules import DATASETS, DatasetConfig, LabelledDataset
from framework.answers import ANSWERS
from framework.config.schema import Sections
from framework.objectives import OBJECTIVES
from framework.validation import dataclass_in
from modules import CONFIGS

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
HEAD = """# Configuration reference

Every key of an experiment's YAML. `make docs` generates this page from the schema, and a test fails if it is outdated.
[concepts.md](concepts.md) defines the terms; [experiments.md](experiments.md) explains how to write an experiment. A
key whose default is **required** must be set; sections that are left out keep their defaults. On the command line, keys
are written with dots: `stages.task.batch_size=8`.
"""

WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null", Any: "anything"}


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a section."""

    name: str
    type: str
    default: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class Group:
    """Sections of one sort, such as all components."""

    title: str
    place: str
    """Where in a YAML they stand; `<name>` is the name of each."""
    known: dict[str, Any]
    """The dataclass of each section by its name."""
    besides: Any = None
    """A dataclass whose keys all of them have, and which has a section of its own."""


def own_settings() -> dict[str, Any]:
    """The labelled datasets that have settings beside those of every dataset."""
    return {
        name: dataset.Config
        for name, dataset in DATASETS.items()
        if issubclass(dataset, LabelledDataset) and dataset.Config is not DatasetConfig
    }


GROUPS = (
    Group("Datasets with settings of their own", "data", own_settings(), besides=DatasetConfig),
    Group("Components", "combination.<role>.<name>", CONFIGS),
    Group("Objectives", "stages.language.objective.<name>", dict(OBJECTIVES)),
    Group("Answer types", "stages.task.answer.<name>", dict(ANSWERS)),
)
CHOICES = {
    "combination": "[components](#components) by role",
    "objective": "one of the [objectives](#objectives)",
    "answer": "one of the [answer types](#answer-types)",
}
"""What the type of a key says that names one of a group."""


def page() -> str:
    """Returns the page.

    Raises:
        ValueError: A key has no sentence that says what it means.
    """
    places = places_of_sections()
    titles = {type_: title_of(found) for type_, found in places.items()}
    lines = [HEAD, *section("Experiment", "the top of the file", Sections, titles)]
    for type_, found in places.items():
        lines += section(titles[type_], ", ".join(f"`{place}`" for place in found), type_, titles)
    for group in GROUPS:
        lines += [f"## {group.title}", ""]
        for name, type_ in group.known.items():
            place = f"`{group.place.replace('<name>', name)}`"
            lines += section(f"`{name}`", place, type_, titles, level="###", besides=group.besides)
    return "\n".join(lines).rstrip() + "\n"


def places_of_sections() -> dict[Any, list[str]]:
    """Returns the places of every dataclass that stands below another one."""
    found = list(sections(Sections))
    for group in GROUPS:
        for name, type_ in group.known.items():
            found += sections(type_, group.place.replace("<name>", name))
    places: dict[Any, list[str]] = {}
    for place, type_ in dict.fromkeys(found):
        places.setdefault(type_, []).append(place)
    return places


def sections(type_: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every dataclass at or below the keys of another one, with its place."""
    hints = typing.get_type_hints(type_)
    for field in dataclasses.fields(type_):
        if (inner := dataclass_in(hints[field.name])) is None:
            continue
        listed = typing.get_origin(hints[field.name]) is dict
        place = f"{above}.{field.name}".lstrip(".") + (".<name>" if listed else "")
        yield place, inner
        yield from sections(inner, place)


def title_of(places: list[str]) -> str:
    """Names a section: by its place; where there are several, by its key, or by what they all stand below."""
    if len(places) == 1:
        return places[0]
    parents, keys = zip(*(place.removesuffix(".<name>").rpartition(".")[::2] for place in places), strict=True)
    return keys[0] if len(set(keys)) < len(set(parents)) else f"each of {parents[0]}"


def section(
    title: str, places: str, type_: Any, titles: dict[Any, str], *, level: str = "##", besides: Any = None
) -> list[str]:
    """Returns the lines of one section."""
    known = {field.name for field in dataclasses.fields(besides)} if besides else set()
    lines = [f"{level} {title}", "", f"{first_paragraph(type_)} Key: {places}.", ""]
    keys = [key for key in keys_of(type_, titles) if key.name not in known]
    if besides:
        lines += ["The keys of `data`, and:", ""]
    if not keys:
        return lines
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{key.name}` | {key.type} | {key.default} | {key.meaning} |" for key in keys]
    return [*lines, ""]


def keys_of(type_: Any, titles: dict[Any, str]) -> Iterator[Key]:
    """Yields the keys of one dataclass; those of the sections below it stand under the sections' own titles."""
    hints = typing.get_type_hints(type_, include_extras=True)
    said = sentences(type_)
    for field in dataclasses.fields(type_):
        hint = hints[field.name]
        meaning = said.get(field.name) or (first_paragraph(dataclass_in(hint)) if dataclass_in(hint) else "")
        if not meaning:
            raise ValueError(f"{type_.__module__}.{type_.__name__}.{field.name}: no sentence under the field")
        yield Key(field.name, in_words(hint, field, titles), default_of(field), cell(meaning))


def sentences(type_: Any) -> dict[str, str]:
    """Returns what stands under each field in the source, that of inherited fields too."""
    found: dict[str, str] = {}
    for class_ in reversed(type_.__mro__):
        if not dataclasses.is_dataclass(class_):
            continue
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(class_))).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if is_field and is_text:
                found[field.target.id] = inspect.cleandoc(str(below.value.value))
    return found


def first_paragraph(type_: Any) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return cell((inspect.getdoc(type_) or "").partition("\n\n")[0])


def cell(text: str) -> str:
    """Makes a text fit a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def in_words(hint: Any, field: dataclasses.Field[Any], titles: dict[Any, str]) -> str:
    """Says a type in a person's words."""
    words = CHOICES.get(field.name) or type_words(hint)
    if inner := dataclass_in(hint):
        words = words.replace("section", f"[section](#{slug(titles[inner])})")
    limits = [limit for piece in constraints(field) if (limit := limit_words(piece))]
    return ", ".join([words, *limits])


def type_words(hint: Any) -> str:
    """Says a type in a person's words, without its limits."""
    if dataclasses.is_dataclass(hint):
        return "section"
    if hint in WORDS:
        return WORDS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return type_words(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_words(argument) for argument in arguments)
    if origin in (list, tuple):
        return f"list of {type_words(arguments[0])}"
    if origin is dict:
        return f"{type_words(arguments[1])} by name"
    raise ValueError(f"no words for the type {hint}")


def constraints(field: dataclasses.Field[Any]) -> list[Any]:
    """The limits that pydantic holds a field to."""
    return field.default.metadata if isinstance(field.default, FieldInfo) else []


def limit_words(limit: Any) -> str:
    """Says a limit of a number in words."""
    match limit:
        case annotated_types.Ge(ge=low):
            return f"at least {low}"
        case annotated_types.Gt(gt=low):
            return f"above {low}"
        case annotated_types.Le(le=high):
            return f"at most {high}"
        case annotated_types.Lt(lt=high):
            return f"below {high}"
    return ""


def default_of(field: dataclasses.Field[Any]) -> str:
    """Says a default as YAML has it."""
    default, factory = field.default, field.default_factory
    if isinstance(default, FieldInfo):
        default, factory = default.default, default.default_factory or dataclasses.MISSING
    if factory is not dataclasses.MISSING:
        default = factory()
    if default is dataclasses.MISSING or default is ... or repr(default) == "PydanticUndefined":
        return "**required**"
    return "see there" if dataclasses.is_dataclass(default) else f"`{yaml_of(default)}`"


def yaml_of(value: Any) -> str:
    """Writes a value as one would in YAML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(yaml_of, value))}]"
    named = {None: "null", True: "true", False: "false", "": '""'}
    return named[value] if isinstance(value, str | bool | None) and value in named else str(value)


def slug(title: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\s-]", "", title).lower().replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
