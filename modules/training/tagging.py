"""Token classification of words, such as named entity recognition."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric, Metric
from typing_extensions import override

from modules.training.base import Batch
from modules.training.bio import OUTSIDE, spans
from modules.training.heads import TaggingHead
from modules.training.task import Prediction, TaskModule


class Tagging(TaskModule):
    """Cross-entropy over a head's tags, for each word that is read.

    A batch holds `input_ids`, `attention_mask` [batch, time], `language`, `words` [batch], the number of words of each
    sentence, `first_tokens` and `last_tokens` [batch, words], where each word's first and last token are, -1 for a word
    that has none, `labels` [batch, words] and, for predictions, `id`.

    A word is read at its first token, as is usual (Devlin et al. 2019, section 5.3). From left to right, by a decoder,
    it is read at its last: before that, the model has not seen all of it. A word without a token is outside of spans.
    """

    chosen_by = "validation/span_f1"
    head: TaggingHead

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        return {"loss": MeanMetric(), "span_f1": SpanF1()}

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Returns logits [number, tags] for the words that are read, their rows [number] and their places [number]."""
        tokens = batch["first_tokens" if self.combination.backbone.info.family == "encoder" else "last_tokens"]
        rows, places = (tokens >= 0).nonzero(as_tuple=True)
        return self.head(self.encode(batch)[rows, tokens[rows, places]]), rows, places

    @override
    def losses(self, batch: Batch) -> Tensor:
        logits, rows, places = self(batch)
        return functional.cross_entropy(logits, batch["labels"][rows, places], reduction="none")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss` over the words, and `validation/span_f1` over the sentences, of all ranks."""
        logits, rows, places = self(batch)
        labels = batch["labels"]
        self.metrics["loss"](functional.cross_entropy(logits, labels[rows, places], reduction="none"))
        answers = self._sentences(batch, logits.argmax(-1), rows, places)
        counts = batch["words"].tolist()
        gold = [self._names(tags[:count]) for tags, count in zip(labels.tolist(), counts, strict=True)]
        self.metrics["span_f1"](answers, gold)
        self.log_validation()

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Returns the most probable tag of each word, and as confidence the probability that all of them are right.

        That is the product of the tags' probabilities, given the text; a word that is not read has none.
        """
        logits, rows, places = self(batch)
        chances, tags = logits.float().log_softmax(-1).max(dim=-1)
        confidence = torch.zeros(len(batch["id"])).index_add(0, rows.cpu(), chances.cpu()).exp()
        predicted = [" ".join(names) for names in self._sentences(batch, tags, rows, places)]
        return Prediction(id=batch["id"], language=batch["language"], predicted=predicted, confidence=confidence)

    def _sentences(self, batch: Batch, tags: Tensor, rows: Tensor, places: Tensor) -> list[list[str]]:
        """Returns a tag for each word of each sentence, those that are not read included."""
        sentences = [[OUTSIDE] * count for count in batch["words"].tolist()]
        for name, row, place in zip(self._names(tags.tolist()), rows.tolist(), places.tolist(), strict=True):
            sentences[row][place] = name
        return sentences

    def _names(self, tags: Sequence[int]) -> list[str]:
        return [self.head.labels[tag] for tag in tags]


class SpanF1(Metric):
    """The F1 score of spans, over all sentences together: one counts if type, first and last word are right."""

    hits: Tensor
    predicted: Tensor
    gold: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "predicted", "gold"):
            self.add_state(name, default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> None:
        """Takes sentences of BIO tags."""
        for answer, right in zip(map(spans, predicted), map(spans, gold), strict=True):
            self.hits += len(answer & right)
            self.predicted += len(answer)
            self.gold += len(right)

    def compute(self) -> Tensor:
        """Returns the score, 0 where there is no span at all."""
        return 2 * self.hits / (self.predicted + self.gold).clamp(min=1)
