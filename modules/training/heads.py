"""Pooling functions, and the classification and tagging heads."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modules.errors import ModulesError
from modules.training.configs import ClassificationHeadConfig, TaggingHeadConfig


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


class _LinearHead(nn.Module):
    """A linear layer over vectors, with dropout."""

    def __init__(self, hidden_size: int, labels: Sequence[str], dropout: float) -> None:
        super().__init__()
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ModulesError(f"a head needs two or more different labels, not {list(labels)}")
        self.labels = list(labels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, len(labels))

    def logits(self, vectors: Tensor) -> Tensor:
        # So small a layer gains no time from bfloat16, and its logits would lose digits.
        with torch.autocast(vectors.device.type, enabled=False):
            logits: Tensor = self.linear(self.dropout(_precise(vectors)))
        return logits


class ClassificationHead(_LinearHead):
    """A linear layer over a pooled text."""

    def __init__(self, hidden_size: int, labels: Sequence[str], config: ClassificationHeadConfig) -> None:
        """Draws the layer from torch's global generator.

        Raises:
            ModulesError: If there are fewer than two labels, or one comes twice.
        """
        super().__init__(hidden_size, labels, config.dropout)
        self.pool = POOLING[config.pooling]

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns logits [batch, labels] for hidden states [batch, time, size]."""
        return self.logits(self.pool(hidden, attention_mask))


class TaggingHead(_LinearHead):
    """A linear layer over each word."""

    def __init__(self, hidden_size: int, labels: Sequence[str], config: TaggingHeadConfig) -> None:
        """Draws the layer from torch's global generator.

        Raises:
            ModulesError: If there are fewer than two tags, or one comes twice.
        """
        super().__init__(hidden_size, labels, config.dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """Returns logits [number, tags] for hidden states [number, size]."""
        return self.logits(vectors)
