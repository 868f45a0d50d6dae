"""Masked language modelling: learning a language from its text."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from modules.combination import Combination
from modules.components import Component
from modules.errors import ModulesError
from modules.optimization import OptimizationConfig
from modules.training import Batch, StageModule, global_mean


class MaskedLanguageModeling(StageModule):
    """Cross-entropy of the masked tokens.

    A batch holds `input_ids` with masks in them, `attention_mask`, `language` and `labels` [batch, time], which are
    -100 where nothing is to be predicted.
    """

    def __init__(
        self,
        combination: Combination,
        components: Sequence[Component],
        optimization: OptimizationConfig,
        *,
        seed: int = 0,
    ) -> None:
        """Makes exactly the components trainable; see `StageModule`.

        Raises:
            ModulesError: If the backbone was loaded without its language model head.
        """
        if combination.backbone.lm_head is None:
            raise ModulesError("masked language modelling needs a backbone loaded with its language model head")
        super().__init__(combination, components, optimization, seed=seed)
        self._validation_loss = MeanMetric()
        self._validation_accuracy = MeanMetric()

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns the logits [number, vocabulary size] and the right tokens [number] of the masked positions."""
        # Only there: over a vocabulary of 250,000 the logits of all positions would dwarf everything else.
        rows, columns = (batch["labels"] != -100).nonzero(as_tuple=True)
        languages = [batch["language"][row] for row in rows.tolist()]
        logits = self.combination.lm_logits(self.encode(batch)[rows, columns], languages)
        return logits, batch["labels"][rows, columns]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss and logs it as `loss`."""
        logits, tokens = self(batch)
        loss = global_mean(functional.cross_entropy(logits, tokens, reduction="none"))
        self.log("loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss` and `validation/accuracy` over all masked tokens of all ranks."""
        logits, tokens = self(batch)
        self._validation_loss(functional.cross_entropy(logits, tokens, reduction="none"))
        self._validation_accuracy((logits.argmax(-1) == tokens).float())
        self.log("validation/loss", self._validation_loss)
        self.log("validation/accuracy", self._validation_accuracy)
