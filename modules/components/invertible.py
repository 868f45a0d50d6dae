"""An invertible change of the embedding space (Pfeiffer et al., 2020)."""

from typing import Literal, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from modules.backbone.architectures import ARCHITECTURES
from modules.backbone.backbone import Backbone
from modules.backbone.info import BackboneInfo
from modules.components.base import Component


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class InvertibleConfig:
    """Settings of an invertible adapter."""

    reduction_factor: int = Field(default=2, ge=1)
    """Half the embedding size divided by the hidden size of the two coupling networks."""
    place: Literal["words", "embeddings"] = "words"
    """Which embeddings it changes: those of the words alone, or (encoders) what the layers read, with positions added
    and normalised, as the `adapters` library and so AdapterHub's MAD-X adapters have it. Its inverse always stands
    just before the output embeddings."""


class Invertible(Component):
    """Two additive coupling layers (NICE) on the embeddings of the text, undone before the output embeddings."""

    kind = "invertible"
    place = "on the text's embeddings, undone before the output embeddings"
    Config = InvertibleConfig

    def __init__(self, config: InvertibleConfig, coupling: nn.Module) -> None:
        """Takes its settings and the coupling block."""
        super().__init__()
        self.coupling = coupling
        self.after_embedding_layer = config.place == "embeddings"

    @classmethod
    def incompatibility(cls, config: InvertibleConfig, info: BackboneInfo) -> str | None:
        """Returns why it cannot work on a backbone, or None when it can."""
        if info.embedding_size // 2 < config.reduction_factor:
            return f"reduction_factor {config.reduction_factor} exceeds half the embedding size {info.embedding_size}"
        if config.place == "words":
            return None
        architecture = ARCHITECTURES[info.model_type]
        if architecture.embeddings is None:
            known = ", ".join(name for name, one in ARCHITECTURES.items() if one.embeddings)
            return f"place embeddings is there for {known}, not for {info.model_type}: use words"
        if architecture.projected_embeddings and info.embedding_size != info.hidden_size:
            return (
                f"place embeddings would be {info.hidden_size} wide and the output embeddings, where it is undone, "
                f"{info.embedding_size}: use words"
            )
        return None

    @classmethod
    def create(cls, config: InvertibleConfig, backbone: Backbone, *, name: str, language: str | None) -> Self:
        """Makes an untrained one, initialised as the `adapters` library does."""
        from adapters.methods.modeling import Adapter, NICECouplingBlock

        coupling = NICECouplingBlock(
            [[backbone.info.embedding_size]], non_linearity="relu", reduction_factor=config.reduction_factor
        )
        coupling.apply(Adapter.init_bert_weights)
        return cls(config, coupling)

    def embed(self, embeddings: Tensor) -> Tensor:
        """Changes the embeddings of the text [batch, time, embedding size]."""
        changed: Tensor = self.coupling(embeddings)
        return changed

    def unembed(self, vectors: Tensor) -> Tensor:
        """Undoes the change on vectors [number, embedding size]."""
        undone: Tensor = self.coupling(vectors.unsqueeze(0), rev=True).squeeze(0)
        return undone
