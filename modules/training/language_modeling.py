"""Language modelling objectives: masked, span corruption, causal."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric, Metric
from typing_extensions import override

from modules.backbone.architectures import Family
from modules.combination.combination import Combination
from modules.components import Component
from modules.errors import ModulesError
from modules.training.base import Batch, StageModule
from modules.training.configs import OptimizationConfig


class LanguageModeling(StageModule):
    """Cross-entropy of the tokens to be predicted; a subclass sets the family and the label shift.

    A batch holds `input_ids`, `attention_mask`, `language` and `labels` [batch, time], which are the tokens to be
    predicted in their own places, and -100 where nothing is.
    """

    family: ClassVar[Family]
    """The backbones that can learn so."""
    ahead: ClassVar[int]
    """Label shift: 1 for causal language models, 0 otherwise."""

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
            ModulesError: If the backbone is of another family, or was loaded without its language model head.
        """
        backbone = combination.backbone
        if backbone.info.family != self.family:
            raise ModulesError(f"{type(self).__name__} trains on a {self.family}, not on a {backbone.info.family}")
        if backbone.lm_head is None:
            raise ModulesError("language modelling needs a backbone loaded with its language model head")
        super().__init__(combination, components, optimization, seed=seed)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns the logits [number, rows of the output layer] and the right rows [number], where there is a label."""
        labels = batch["labels"][:, self.ahead :]
        # Only there: over a vocabulary of 250,000 the logits of all positions would dwarf everything else.
        rows, columns = (labels != -100).nonzero(as_tuple=True)
        languages = [batch["language"][row] for row in rows.tolist()]
        logits = self.combination.kept_logits(self.encode(batch)[rows, columns], languages)
        return logits, self.combination.backbone.rows(labels[rows, columns])

    @override
    def losses(self, batch: Batch) -> Tensor:
        logits, tokens = self(batch)
        return functional.cross_entropy(logits, tokens, reduction="none")

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        return {"loss": MeanMetric(), "accuracy": MeanMetric()}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss` and `validation/accuracy` over all predicted tokens of all ranks."""
        logits, tokens = self(batch)
        self.metrics["loss"](functional.cross_entropy(logits, tokens, reduction="none"))
        self.metrics["accuracy"]((logits.argmax(-1) == tokens).float())
        self.log_validation()


class MaskedLanguageModeling(LanguageModeling):
    """Predicts masked tokens from the text on both sides; `input_ids` have masks in them (Devlin et al., 2019)."""

    family = "encoder"
    ahead = 0


class SpanCorruption(LanguageModeling):
    """T5 span corruption: the decoder predicts the spans replaced by sentinels (Raffel et al., 2020).

    The `labels` [batch, decoder time] are those spans between sentinels, -100 where padded.
    """

    family = "encoder-decoder"
    ahead = 0

    def encode(self, batch: Batch) -> Tensor:
        """Returns the decoder's hidden states [batch, decoder time, hidden size], at the places of the labels."""
        backbone = self.combination.backbone
        targets = batch["labels"].masked_fill(batch["labels"] == -100, backbone.tokenizer.pad_token_id)
        return self.combination.encode(
            batch["input_ids"], batch["attention_mask"], batch["language"], decoder_input_ids=backbone.shifted(targets)
        )


class CausalLanguageModeling(LanguageModeling):
    """Predicts each token from those before it; a text's first token has none, and is not predicted.

    Where a row holds several documents, `document` [batch, time] numbers them, and each is a text of its own.
    """

    family = "decoder"
    ahead = 1
