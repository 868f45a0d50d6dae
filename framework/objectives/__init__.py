"""What a language stage learns from: each objective joins a stream of text to the loss on it, in one small file.

A new objective is a new file with a class like these and a line here.
"""

from framework.objectives.alignment import AlignmentObjective
from framework.objectives.base import Objective
from framework.objectives.masked import MaskedObjective

__all__ = ["OBJECTIVES", "AlignmentObjective", "MaskedObjective", "Objective"]

OBJECTIVES: dict[str, type[Objective]] = {"alignment": AlignmentObjective, "masked": MaskedObjective}
