"""Language modelling as the backbone's family was pretrained."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, NoReturn, get_args

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules import CausalConfig
from framework.objectives.causal import CausalObjective
from framework.objectives.masked import MaskedObjective
from framework.objectives.monolingual import MonolingualObjective
from framework.objectives.span_corruption import SpanCorruptionObjective
from modules import Family

OF_FAMILY: dict[Family, type[MonolingualObjective]] = {
    "encoder": MaskedObjective,
    "decoder": CausalObjective,
    "encoder-decoder": SpanCorruptionObjective,
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LanguageModelingObjective(MonolingualObjective):
    """Resolves to `masked`, `causal` or `span_corruption` according to the backbone's family."""

    name = "language_modeling"
    families: ClassVar[tuple[Family, ...]] = get_args(Family)

    text: CausalConfig = CausalConfig()
    """The text, with the settings that the three objectives share."""

    @property
    @override
    def module_class(self) -> NoReturn:
        raise NotImplementedError("it is the objective of a backbone's family that trains: see `of`")

    def of(self, family: Family) -> MonolingualObjective:
        """Returns the objective that it stands for on a family of backbones."""
        class_ = OF_FAMILY[family]
        settings = type(class_.text)(**dataclasses.asdict(self.text))
        return class_(text=settings)  # type: ignore[call-arg]
