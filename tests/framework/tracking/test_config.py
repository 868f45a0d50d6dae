"""Mistakes in the section `tracking`."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from framework.config.tracking import TrackingConfig


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('{"mode": "dryrun"}', "mode"),
        ('{"project": "a/b"}', "project 'a/b' must have"),
        ('{"project": ""}', "project '' must have"),
        ('{"tags": [""]}', "tag '' must have 1 to 64 letters"),
        ('{"team": "x"}', "team"),
    ],
)
def test_they_are_said(data: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(TrackingConfig).validate_json(data, strict=True)
