"""Pooling functions, and the heads of classification, tagging and question answering."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.errors import ModulesError
from modules.training.configs import ClassificationHeadConfig, SpanHeadConfig, TaggingHeadConfig


def mean_pool(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Returns the mean hidden state of each row's tokens, special ones included.

    Args:
        hidden: [batch, time, size].
        attention_mask: [batch, time], 1 at tokens.

    Returns:
        [batch, size], in float32 at least.
    """
    mask = attention_mask.unsqueeze(-1).bool()
    # Filled rather than multiplied: hidden states of padding may be anything, NaN included.
    return _precise(hidden).masked_fill(~mask, 0).sum(1) / mask.sum(1)


def first_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Returns the hidden state of each row's first token [batch, size], in float32 at least."""
    return _precise(hidden[:, 0])


def last_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Returns the hidden state of each row's last token [batch, size], in float32 at least."""
    time = attention_mask.shape[1]
    last = time - 1 - attention_mask.flip(1).argmax(dim=1)
    return _precise(hidden[torch.arange(len(hidden), device=hidden.device), last])


def _precise(hidden: Tensor) -> Tensor:
    return hidden.to(torch.promote_types(hidden.dtype, torch.float32))


POOLING = {"mean": mean_pool, "cls": first_token, "last": last_token}
HeadConfig = ClassificationHeadConfig | TaggingHeadConfig | SpanHeadConfig


class _LinearHead(nn.Module):
    """A linear layer over vectors, with dropout."""

    def __init__(self, hidden_size: int, labels: Sequence[str], config: HeadConfig) -> None:
        """Draws the layer from torch's global generator.

        Raises:
            ModulesError: If there are fewer than two labels, or one comes twice.
        """
        super().__init__()
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ModulesError(f"a head needs two or more different labels, not {list(labels)}")
        self.labels = list(labels)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(hidden_size, len(labels))

    def logits(self, vectors: Tensor) -> Tensor:
        """Returns logits [..., labels] for hidden states [..., size], in float32 at least."""
        # So small a layer gains no time from bfloat16, and its logits would lose digits.
        with torch.autocast(vectors.device.type, enabled=False):
            logits: Tensor = self.linear(self.dropout(_precise(vectors)))
        return logits


class ClassificationHead(_LinearHead):
    """A linear layer over a pooled text."""

    def __init__(self, hidden_size: int, labels: Sequence[str], config: ClassificationHeadConfig) -> None:
        super().__init__(hidden_size, labels, config)
        self.pool = POOLING[config.pooling]

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns logits [batch, labels] for hidden states [batch, time, size]."""
        return self.logits(self.pool(hidden, attention_mask))


class TaggingHead(_LinearHead):
    """A linear layer over each word."""

    forward = _LinearHead.logits


class SpanHead(_LinearHead):
    """A linear layer over each token (Devlin et al. 2019, section 4.2)."""

    def __init__(self, hidden_size: int, config: SpanHeadConfig) -> None:
        super().__init__(hidden_size, ["start", "end"], config)
        self.max_answer_length = config.max_answer_length

    def forward(self, hidden: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Returns log-probabilities of where an answer begins and ends.

        Args:
            hidden: [batch, time, size].
            candidates: [batch, time] bool: where it may; at least one in each row.

        Returns:
            For each of the two the log-probabilities over the candidates [batch, time], -inf elsewhere; in float32 at
            least.
        """
        others = ~candidates.unsqueeze(-1)
        # Filled rather than multiplied: hidden states of padding may be anything, NaN included.
        logits = self.logits(hidden.masked_fill(others, 0))
        start, end = logits.masked_fill(others, -torch.inf).log_softmax(1).unbind(-1)
        return start, end


def best_spans(start: Tensor, end: Tensor, allowed: Tensor, longest: int) -> tuple[Tensor, Tensor, Tensor]:
    """Finds in each row the span whose start and end have the greatest sum of scores.

    Args:
        start: [batch, time], scores of a span's first token.
        end: [batch, time], scores of its last token.
        allowed: [batch, time] bool: where both must be.
        longest: Tokens that a span may have.

    Returns:
        First tokens [batch], last tokens [batch] and sums [batch]; of a row that allows nothing (0, 0, -inf).
    """
    start, end = (scores.masked_fill(~allowed, -torch.inf) for scores in (start, end))
    # [batch, time, longest]: at each start the scores of ending there, one token later, and so on
    ends = functional.pad(end, (0, longest - 1), value=-torch.inf).unfold(1, longest, 1)
    sums, places = (start.unsqueeze(-1) + ends).flatten(1).max(1)
    first = places // longest
    return first, first + places % longest, sums
