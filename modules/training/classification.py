"""Text classification with a head."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from typing_extensions import override

from modules.combination.combination import Combination
from modules.components import Component
from modules.training.base import Batch
from modules.training.configs import OptimizationConfig
from modules.training.heads import ClassificationHead
from modules.training.task import Prediction, TaskModule


class TextClassification(TaskModule):
    """Cross-entropy over a head's labels.

    A batch holds `input_ids`, `attention_mask`, `language`, `labels` [batch] and, for predictions, `id`; for pairs of
    texts `token_type_ids` too, where the tokenizer tells the two apart by them.
    """

    chosen_by = "validation/accuracy"
    head: ClassificationHead

    def __init__(
        self,
        combination: Combination,
        components: Sequence[Component],
        optimization: OptimizationConfig | None,
        *,
        head: ClassificationHead,
        seed: int = 0,
    ) -> None:
        super().__init__(combination, components, optimization, head=head, seed=seed)
        classes = len(head.labels)
        self._validation_loss = MeanMetric()
        self._validation_accuracy = MulticlassAccuracy(classes, average="micro")
        self._validation_f1 = MulticlassF1Score(classes, average="macro")

    def forward(self, batch: Batch) -> Tensor:
        """Returns logits [batch, labels]."""
        hidden = self.combination.encode(
            batch["input_ids"], batch["attention_mask"], self.languages(batch), batch.get("token_type_ids")
        )
        logits: Tensor = self.head(hidden, batch["attention_mask"])
        return logits

    @override
    def losses(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self(batch), batch["labels"], reduction="none")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss`, `validation/accuracy` and `validation/macro_f1` over all rows of all ranks."""
        logits = self(batch)
        labels = batch["labels"]
        self._validation_loss(functional.cross_entropy(logits, labels), weight=len(labels))
        self._validation_accuracy(logits, labels)
        self._validation_f1(logits, labels)
        self.log("validation/loss", self._validation_loss)
        self.log("validation/accuracy", self._validation_accuracy)
        self.log("validation/macro_f1", self._validation_f1)

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Returns the most probable label of each row."""
        confidence, labels = self(batch).float().softmax(-1).cpu().max(dim=-1)
        predicted = [self.head.labels[label] for label in labels.tolist()]
        return Prediction(id=batch["id"], language=batch["language"], predicted=predicted, confidence=confidence)
