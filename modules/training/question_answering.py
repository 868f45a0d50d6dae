"""Extractive question answering with a span head."""

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric, Metric
from typing_extensions import override

from modules.training.base import Batch
from modules.training.heads import SpanHead, best_spans
from modules.training.task import Prediction, TaskModule


class QuestionAnswering(TaskModule):
    """Cross-entropy of where an answer begins and of where it ends.

    A row is a window of a context behind its question. A batch holds `input_ids`, `attention_mask`, `language`;
    `in_context` [batch, time] bool, where an answer may stand; `nowhere` [batch], the place that stands for an answer
    that is not in the window; `start` and `end` [batch], places of the answer's first and last token. For predictions
    it holds `id`, `context` and `offsets` [batch, time, 2], where in the context each token begins and ends, in
    characters; `token_type_ids` too, where the tokenizer tells the two texts apart by them.

    `nowhere` takes part in the softmax. So a window's probabilities are small where the answer stands in another, and
    the answers of several windows of one context can be ranked by them: bare logits are known up to a constant of each
    window. (Alberti, Lee and Collins, arXiv:1901.08634, take the difference to such a place's logits for the same end.)
    """

    chosen_by = "validation/span_f1"
    head: SpanHead

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        return {"loss": MeanMetric(), "span_accuracy": MeanMetric(), "span_f1": MeanMetric()}

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns log-probabilities of the answer's first and last token, [batch, time] each."""
        candidates = batch["in_context"].scatter(1, batch["nowhere"].unsqueeze(1), True)
        start, end = self.head(self.encode(batch), candidates)
        return start, end

    @override
    def losses(self, batch: Batch) -> Tensor:
        start, end = self(batch)
        return _losses(start, end, batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss` over all windows of all ranks, and two scores over those that hold their answer.

        `validation/span_accuracy` is the share of windows whose best span is the answer's, `validation/span_f1` the
        mean F1 of its tokens: what of them is the answer's, and what of the answer's they are.
        """
        start, end = self(batch)
        self.metrics["loss"](_losses(start, end, batch))
        first, last, _ = best_spans(start, end, batch["in_context"], self.head.max_answer_length)
        shared = (torch.minimum(last, batch["end"]) - torch.maximum(first, batch["start"]) + 1).clamp(min=0)
        f1 = 2 * shared / (last - first + 1 + batch["end"] - batch["start"] + 1)
        holding = batch["start"] != batch["nowhere"]
        self.metrics["span_accuracy"]((f1[holding] == 1).float())
        self.metrics["span_f1"](f1[holding])
        self.log_validation()

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Returns the text of each window's most probable span, with its probability: its start's times its end's."""
        start, end = self(batch)
        first, last, score = best_spans(start, end, batch["in_context"], self.head.max_answer_length)
        rows = torch.arange(len(first), device=first.device)
        begins, ends = batch["offsets"][rows, first, 0].tolist(), batch["offsets"][rows, last, 1].tolist()
        # A token may hold the white space before its word.
        predicted = [
            context[begin:end].strip() for context, begin, end in zip(batch["context"], begins, ends, strict=True)
        ]
        return Prediction(
            id=batch["id"], language=batch["language"], predicted=predicted, confidence=score.exp().float().cpu()
        )


def _losses(start: Tensor, end: Tensor, batch: Batch) -> Tensor:
    """Returns the mean of both cross-entropies for each row [batch]."""
    at_start = functional.nll_loss(start, batch["start"], reduction="none")
    at_end = functional.nll_loss(end, batch["end"], reduction="none")
    return (at_start + at_end) / 2
