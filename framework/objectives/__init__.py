"""What a language stage learns from: each objective joins a stream of text to the loss on it.

A new objective is a new file with a subclass of `Objective` and a line here, or a class anywhere that a YAML names by
its dotted path.
"""

from framework.objectives.alignment import AlignmentObjective
from framework.objectives.base import Objective
from framework.objectives.monolingual import (
    CausalObjective,
    LanguageModelingObjective,
    MaskedObjective,
    MonolingualObjective,
    PrefixLMObjective,
    SpanCorruptionObjective,
)

__all__ = [
    "OBJECTIVES",
    "AlignmentObjective",
    "CausalObjective",
    "LanguageModelingObjective",
    "MaskedObjective",
    "MonolingualObjective",
    "Objective",
    "PrefixLMObjective",
    "SpanCorruptionObjective",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "alignment": AlignmentObjective,
    "causal": CausalObjective,
    "language_modeling": LanguageModelingObjective,
    "masked": MaskedObjective,
    "prefix_lm": PrefixLMObjective,
    "span_corruption": SpanCorruptionObjective,
}
