"""Language modelling on monolingual text: the objectives differ in their text and in the stage module with the loss."""

from __future__ import annotations

import dataclasses
import pkgutil
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, get_args

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

import datamodules
from datamodules import (
    CausalConfig,
    MaskingConfig,
    MonolingualText,
    PackingConfig,
    PrefixLMConfig,
    SpanCorruptionConfig,
    TextConfig,
)
from framework.objectives.base import Objective, without_place
from modules import Family, OptimizationConfig

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from datamodules import MonolingualData
    from modules import Combination, Component
    from modules.training import LanguageModeling

SETTINGS = ConfigDict(extra="forbid")


class MonolingualObjective(Objective):
    """Learns to predict tokens of a language's text with the backbone's own, trained head."""

    name: ClassVar[str]
    """Its key in a YAML."""
    needs_lm_head: ClassVar[bool] = True
    text: TextConfig

    @property
    @override
    def identity_fields(self) -> dict[str, Any]:
        return {self.name: without_place(self.text)}

    @property
    @abstractmethod
    def module_class(self) -> str:
        """Dotted path of the stage module, which needs torch."""

    @property
    def batching_config(self) -> TextConfig:
        """The text and batching settings."""
        return self.text

    @override
    def fingerprints(self, languages: list[str]) -> list[str]:
        text = MonolingualText(self.text)
        return [text.fingerprint(language) for language in languages]

    def seen_tokens(self, tokenizer: PreTrainedTokenizerBase, languages: list[str]) -> Tensor:
        """Reads which tokens the text of these languages holds: their ids [number], ascending.

        Raises:
            DataError: There is none for a language.
        """
        return datamodules.seen_tokens(MonolingualText(self.text), tokenizer, languages)

    @override
    def data(self, tokenizer: PreTrainedTokenizerBase, languages: list[str], **options: int) -> MonolingualData:
        return datamodules.MonolingualData(self.batching_config, tokenizer, languages=languages, **options)

    @override
    def module(
        self, combination: Combination, components: list[Component], settings: OptimizationConfig, seed: int
    ) -> LanguageModeling:
        module_class: type[LanguageModeling] = pkgutil.resolve_name(self.module_class)
        return module_class(combination, components, settings, seed=seed)


@dataclass(frozen=True, config=SETTINGS)
class MaskedObjective(MonolingualObjective):
    """Masked language modelling, for encoders."""

    name = "masked"
    module_class = "modules.training.MaskedLanguageModeling"
    families: ClassVar[tuple[Family, ...]] = ("encoder",)

    text: MaskingConfig = MaskingConfig()
    """The text and how it is masked."""


@dataclass(frozen=True, config=SETTINGS)
class CausalObjective(MonolingualObjective):
    """Causal language modelling, for decoders."""

    name = "causal"
    module_class = "modules.training.CausalLanguageModeling"
    families: ClassVar[tuple[Family, ...]] = ("decoder",)

    text: CausalConfig = CausalConfig()
    """The text."""
    packed: bool = False
    """Pack documents into rows, with attention restricted to each document; else documents are joined and cut."""

    @property
    @override
    def identity_fields(self) -> dict[str, Any]:
        [settings] = super().identity_fields.values()
        return {self.name: settings | ({"packed": True} if self.packed else {})}

    @property
    @override
    def batching_config(self) -> TextConfig:
        return PackingConfig(**dataclasses.asdict(self.text)) if self.packed else self.text


@dataclass(frozen=True, config=SETTINGS)
class PrefixLMObjective(MonolingualObjective):
    """Prefix language modelling, for decoders: predicts the tokens after a random position."""

    name = "prefix_lm"
    module_class = "modules.training.CausalLanguageModeling"
    families: ClassVar[tuple[Family, ...]] = ("decoder",)

    text: PrefixLMConfig = PrefixLMConfig()
    """The text."""


@dataclass(frozen=True, config=SETTINGS)
class SpanCorruptionObjective(MonolingualObjective):
    """Span corruption, for encoder-decoders with sentinel tokens."""

    name = "span_corruption"
    module_class = "modules.training.SpanCorruption"
    families: ClassVar[tuple[Family, ...]] = ("encoder-decoder",)

    text: SpanCorruptionConfig = SpanCorruptionConfig()
    """The text and how it is corrupted."""


OF_FAMILY: dict[Family, type[MonolingualObjective]] = {
    "encoder": MaskedObjective,
    "decoder": CausalObjective,
    "encoder-decoder": SpanCorruptionObjective,
}


@dataclass(frozen=True, config=SETTINGS)
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
