"""What a language stage learns from: each objective joins a stream of text to the loss on it, in one small file.

A new objective is a new file with a class like these and a line here, or a class anywhere that a YAML names by its
dotted path.
"""

import dataclasses
import importlib

from framework.errors import UserError, did_you_mean
from framework.objectives.alignment import AlignmentObjective
from framework.objectives.base import Objective
from framework.objectives.causal import CausalObjective
from framework.objectives.language_modeling import LanguageModelingObjective
from framework.objectives.masked import MaskedObjective
from framework.objectives.prefix_lm import PrefixLMObjective
from framework.objectives.span_corruption import SpanCorruptionObjective

__all__ = [
    "OBJECTIVES",
    "AlignmentObjective",
    "CausalObjective",
    "LanguageModelingObjective",
    "MaskedObjective",
    "Objective",
    "PrefixLMObjective",
    "SpanCorruptionObjective",
    "objective_class",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "alignment": AlignmentObjective,
    "causal": CausalObjective,
    "language_modeling": LanguageModelingObjective,
    "masked": MaskedObjective,
    "prefix_lm": PrefixLMObjective,
    "span_corruption": SpanCorruptionObjective,
}


def objective_class(name: str) -> type[Objective]:
    """Returns the class of an objective.

    Args:
        name: One of `OBJECTIVES`, or a dotted path such as `my_package.MyObjective`.

    Raises:
        UserError: There is no such objective.
    """
    if name in OBJECTIVES:
        return OBJECTIVES[name]
    module, _, class_name = name.rpartition(".")
    if not module:
        raise UserError(f"unknown objective {name!r}{did_you_mean(name, OBJECTIVES)} (known: {', '.join(OBJECTIVES)})")
    try:
        found: type[Objective] = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError, TypeError) as error:
        raise UserError(f"objective {name!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise UserError(f"objective {name!r} is not a dataclass of settings")
    return found
