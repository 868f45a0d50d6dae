"""Text classification with a head."""

from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from typing_extensions import override

from modules.training.base import Batch
from modules.training.heads import ClassificationHead
from modules.training.task import Prediction, TaskModule


class TextClassification(TaskModule):
    """Cross-entropy over a head's labels.

    A batch holds `input_ids`, `attention_mask`, `language`, `labels` [batch] and, for predictions, `id`; for pairs of
    texts `token_type_ids` too, where the tokenizer tells the two apart by them.
    """

    chosen_by = "validation/accuracy"
    head: ClassificationHead

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        classes = len(self.head.labels)
        return {
            "loss": MeanMetric(),
            "accuracy": MulticlassAccuracy(classes, average="micro"),
            "macro_f1": MulticlassF1Score(classes, average="macro"),
        }

    def forward(self, batch: Batch) -> Tensor:
        """Returns logits [batch, labels]."""
        logits: Tensor = self.head(self.encode(batch), batch["attention_mask"])
        return logits

    @override
    def losses(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self(batch), batch["labels"], reduction="none")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss`, `validation/accuracy` and `validation/macro_f1` over all rows of all ranks."""
        logits = self(batch)
        labels = batch["labels"]
        self.metrics["loss"](functional.cross_entropy(logits, labels), weight=len(labels))
        self.metrics["accuracy"](logits, labels)
        self.metrics["macro_f1"](logits, labels)
        self.log_validation()

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Returns the most probable label of each row."""
        confidence, labels = self(batch).float().softmax(-1).cpu().max(dim=-1)
        predicted = [self.head.labels[label] for label in labels.tolist()]
        return Prediction(id=batch["id"], language=batch["language"], predicted=predicted, confidence=confidence)
