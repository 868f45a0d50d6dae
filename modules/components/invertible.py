"""An invertible change of the embedding space (Pfeiffer et al., 2020)."""

from typing import Self

from torch import Tensor, nn
from typing_extensions import override

from modules.backbone.backbone import Backbone
from modules.components.base import Component
from modules.components.configs import InvertibleConfig


class Invertible(Component):
    """Two additive coupling layers (NICE) on the embeddings of the text, undone before the output embeddings.

    >>> from modules import BackboneConfig, Combination, load_backbone
    >>> from modules.components import InvertibleConfig
    >>> backbone = BackboneConfig("experiments/quickstart/backbone", precision="32", random_init_seed=0)
    >>> combination = Combination(load_backbone(backbone))
    >>> adapter = combination.add("language", "invertible", InvertibleConfig(), language="swh_Latn", seed=0)
    >>> vectors = combination.backbone.embeddings.weight[:3]
    >>> bool((adapter.unembed(adapter.embed(vectors[None])[0]) - vectors).abs().max() < 1e-5)
    True
    """

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
