"""Tasks answered in words: by the likeliest label words, or by generation."""

from collections.abc import Callable, Sequence

from torch import Tensor
from torchmetrics import MeanMetric, Metric
from typing_extensions import override

from modules.combination.combination import Combination
from modules.components import Component
from modules.training.base import Batch
from modules.training.configs import OptimizationConfig
from modules.training.task import Prediction, TaskModule
from modules.training.unparsed import UNPARSED


class LabelWords(TaskModule):
    """Chooses the label whose words the language model finds likeliest after the text, per token of theirs.

    Learns to write the right label's words (Raffel et al., 2020; Lester et al., 2021). A batch holds `input_ids`,
    `attention_mask`, `language`, `answers` (for each row each label's token ids), `labels` [batch] and `id`.
    """

    chosen_by = "validation/accuracy"

    def __init__(
        self,
        combination: Combination,
        components: Sequence[Component],
        optimization: OptimizationConfig | None,
        *,
        labels: Sequence[str],
        seed: int = 0,
    ) -> None:
        super().__init__(combination, components, optimization, seed=seed)
        self.labels = list(labels)

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        return {"loss": MeanMetric(), "accuracy": MeanMetric()}

    def forward(self, batch: Batch) -> Tensor:
        """Returns the mean log-likelihood of a token of each label's words, [batch, labels] float32."""
        return _mean_log_likelihoods(self, batch, batch["answers"])

    @override
    def losses(self, batch: Batch) -> Tensor:
        labels = batch["labels"].tolist()
        right = [[answers[label]] for answers, label in zip(batch["answers"], labels, strict=True)]
        return -_mean_log_likelihoods(self, batch, right).squeeze(1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/loss` and `validation/accuracy` over all rows of all ranks."""
        scores, labels = self(batch), batch["labels"]
        self.metrics["loss"](-scores.gather(1, labels[:, None]))
        self.metrics["accuracy"]((scores.argmax(1) == labels).float())
        self.log_validation()

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Returns the likeliest label of each row; its confidence is its share among the labels."""
        confidence, labels = self(batch).softmax(-1).cpu().max(dim=-1)
        predicted = [self.labels[label] for label in labels.tolist()]
        return Prediction(id=batch["id"], language=batch["language"], predicted=predicted, confidence=confidence)


class Generation(TaskModule):
    """Generates an answer of at most `max_new_tokens`, by a search of so many `beams` (1 is greedy).

    `read` makes an answer, or None, of what was written, the text asked about and the language it is asked in.

    Trains on the gold answers. A batch holds `input_ids`, `attention_mask`, `language`, `answers` (for each row the
    token ids of the right answer), `text`, `prompt_language` (the language in which each row is asked) and `id`.
    """

    chosen_by = "validation/log_likelihood"

    def __init__(
        self,
        combination: Combination,
        components: Sequence[Component],
        optimization: OptimizationConfig | None,
        *,
        read: Callable[[str, str, str], str | None],
        max_new_tokens: int,
        beams: int,
        seed: int = 0,
    ) -> None:
        super().__init__(combination, components, optimization, seed=seed)
        self.read = read
        self.max_new_tokens = max_new_tokens
        self.beams = beams

    @override
    def validation_metrics(self) -> dict[str, Metric]:
        return {"log_likelihood": MeanMetric()}

    @override
    def losses(self, batch: Batch) -> Tensor:
        return -self._right(batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logs `validation/log_likelihood`, a right answer's mean per token, over all rows of all ranks."""
        self.metrics["log_likelihood"](self._right(batch))
        self.log_validation()

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Returns what was read from what was written; its confidence is the mean probability of a token."""
        written, log_likelihoods = self.combination.generate(
            batch["input_ids"],
            batch["attention_mask"],
            self.languages(batch),
            max_new_tokens=self.max_new_tokens,
            beams=self.beams,
        )
        tokenizer = self.combination.backbone.tokenizer
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        read = map(self.read, texts, batch["text"], batch["prompt_language"])
        predicted = [UNPARSED if answer is None else answer for answer in read]
        confidence = log_likelihoods.float().exp().cpu()
        return Prediction(id=batch["id"], language=batch["language"], predicted=predicted, confidence=confidence)

    def _right(self, batch: Batch) -> Tensor:
        """Returns the right answers' mean log-likelihood per token, [batch]."""
        return _mean_log_likelihoods(self, batch, [[answer] for answer in batch["answers"]]).squeeze(1)


def _mean_log_likelihoods(module: TaskModule, batch: Batch, answers: Sequence[Sequence[Sequence[int]]]) -> Tensor:
    sums, lengths = module.combination.continuation_log_likelihoods(
        batch["input_ids"], batch["attention_mask"], answers, module.languages(batch)
    )
    return sums / lengths
