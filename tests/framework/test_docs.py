"""What the documentation promises to be complete is."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator
from typing import Any

from datamodules import DATASETS
from framework.config import Experiment
from framework.objectives import OBJECTIVES
from framework.validation import dataclass_in
from modules import COMPONENTS
from tests.framework.tiny import ROOT


def keys(type_: Any) -> Iterator[str]:
    """Every key that a YAML may have at or below a dataclass."""
    hints = typing.get_type_hints(type_)
    for name, hint in ((field.name, hints[field.name]) for field in dataclasses.fields(type_)):
        yield name
        if inner := dataclass_in(hint):
            yield from keys(inner)


def test_the_pages_on_experiments_name_every_key() -> None:
    schema = [
        Experiment,
        *OBJECTIVES.values(),
        *(dataset.Config for dataset in DATASETS.values()),
        *(component.Config for component in COMPONENTS.values()),
    ]
    assert all(dataclasses.is_dataclass(type_) for type_ in schema)
    wanted = {key for type_ in schema for key in keys(type_)}
    pages = ("experiments.md", "running.md", "cluster.md")
    text = "\n".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in pages)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"```.*?```|`[^`]+`", text, flags=re.DOTALL))))
    assert sorted(wanted - named) == []
