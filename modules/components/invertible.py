"""An invertible change of the embedding space (Pfeiffer et al., 2020)."""

from typing import Self

from torch import Tensor, nn
from typing_extensions import override

from modules.backbone.backbone import Backbone
from modules.components.base import Component
from modules.components.configs import InvertibleConfig


class Invertible(Component):
    """Two additive coupling layers (NICE) on the embeddings of the text, undone before the output embeddings."""

    Config = InvertibleConfig

    def __init__(self, config: InvertibleConfig, coupling: nn.Module) -> None:
        super().__init__()
        self.coupling = coupling
        self.after_embedding_layer = config.place == "embeddings"

    @classmethod
    @override
    def create(cls, config: InvertibleConfig, backbone: Backbone, *, name: str, language: str | None) -> Self:
        """Makes an untrained one, initialised as the `adapters` library does."""
        from adapters.methods.modeling import Adapter, NICECouplingBlock

        coupling = NICECouplingBlock(
            [[backbone.info.embedding_size]], non_linearity="relu", reduction_factor=config.reduction_factor
        )
        coupling.apply(Adapter.init_bert_weights)
        return cls(config, coupling)

    @override
    def embed(self, embeddings: Tensor) -> Tensor:
        changed: Tensor = self.coupling(embeddings)
        return changed

    @override
    def unembed(self, vectors: Tensor) -> Tensor:
        undone: Tensor = self.coupling(vectors.unsqueeze(0), rev=True).squeeze(0)
        return undone
