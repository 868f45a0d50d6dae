from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from modules import Backbone, BackboneConfig, Combination, load_backbone
from tests.modules import tiny

Folder = Callable[[str], Path]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Returns the folder of a tiny encoder without dropout."""
    root = tmp_path_factory.mktemp("encoders")

    def build(model_type: str) -> Path:
        place = root / model_type
        return place if place.exists() else tiny.build(place, model_type, dropout=0.0)

    return build


@pytest.fixture(scope="session")
def loaded(folder: Folder) -> Callable[[str], Backbone]:
    """Loads a tiny encoder with its language model head, once."""
    return functools.cache(
        lambda model_type: load_backbone(
            BackboneConfig(name=str(folder(model_type)), precision="32"), with_lm_head=True
        )
    )


@pytest.fixture
def backbone(loaded: Callable[[str], Backbone]) -> Callable[[str], Backbone]:
    """Gives a test a backbone of its own: a copy costs less than half of what loading costs."""
    return lambda model_type: copy.deepcopy(loaded(model_type))


@pytest.fixture
def combination(backbone: Callable[[str], Backbone]) -> Callable[..., Combination]:
    """Makes a combination without components on a tiny encoder."""
    return lambda model_type="xlm-roberta": Combination(backbone(model_type))
