"""Alignment: pulls each sentence embedding towards the backbone's embedding of its translation."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric, Metric
from typing_extensions import override

from modules.combination.combination import Combination
from modules.components import Component
from modules.training.base import Batch, StageModule, gathered
from modules.training.configs import AlignmentConfig, OptimizationConfig
from modules.training.heads import mean_pool


class Alignment(StageModule):
    """Aligns mean-pooled sentence embeddings with the frozen backbone's embeddings of the translations.

    A batch holds `input_ids`, `attention_mask`, `language`, `pivot_input_ids` and `pivot_attention_mask`.
    """

    def __init__(
        self,
        combination: Combination,
        components: Sequence[Component],
        optimization: OptimizationConfig,
        *,
        config: AlignmentConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(combination, components, optimization, seed=seed)
        self.config = config

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns unit vectors [batch, hidden size] of the sentences and of their translations."""
        pivot_mask = batch["pivot_attention_mask"]
        pivot = self.combination.encode_backbone(batch["pivot_input_ids"], pivot_mask)
        sentence = mean_pool(self.encode(batch), batch["attention_mask"])
        translation = mean_pool(pivot, pivot_mask)
        return functional.normalize(sentence, dim=-1), functional.normalize(translation, dim=-1)

    @override
    def losses(self, batch: Batch) -> Tensor:
        sentences, translations = self(batch)
        # The translations need no gradient, so that it is enough to know those of other ranks.
        candidates, first = gathered(translations)
        return self._losses(sentences, translations, candidates, first)

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        return {"loss": MeanMetric(), "cosine": MeanMetric()}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss`, contrasted within each rank's batch, and `validation/cosine`."""
        sentences, translations = self(batch)
        self.metrics["loss"](self._losses(sentences, translations, translations, first=0))
        self.metrics["cosine"]((sentences * translations).sum(-1))
        self.log_validation()

    def _losses(self, sentences: Tensor, translations: Tensor, candidates: Tensor, first: int) -> Tensor:
        """Returns the loss of each sentence [batch]; their translations are the candidates from number `first`."""
        distance = 1 - (sentences * translations).sum(-1)
        right = torch.arange(first, first + len(sentences), device=sentences.device)
        # Not in bfloat16: divided by the temperature, cosines of so few digits would be noise.
        with torch.autocast(sentences.device.type, enabled=False):
            logits = sentences @ candidates.T / self.config.temperature
        contrast = functional.cross_entropy(logits, right, reduction="none")
        return self.config.cosine_weight * distance + self.config.contrastive_weight * contrast
