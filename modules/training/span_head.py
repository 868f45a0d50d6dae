"""The span head of extractive question answering."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.training.configs import SpanHeadConfig


class SpanHead(nn.Module):
    """A linear layer over each token (Devlin et al. 2019, section 4.2)."""

    def __init__(self, hidden_size: int, config: SpanHeadConfig) -> None:
        super().__init__()
        self.max_answer_length = config.max_answer_length
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(hidden_size, 2)

    def forward(self, hidden: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Returns log-probabilities of where an answer begins and ends.

        Args:
            hidden: [batch, time, size].
            candidates: [batch, time] bool: where it may; at least one in each row.

        Returns:
            For each of the two the log-probabilities over the candidates [batch, time], -inf elsewhere; in float32 at
            least.
        """
        # So small a layer gains no time from bfloat16, and its logits would lose digits.
        with torch.autocast(hidden.device.type, enabled=False):
            precise = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
            # Filled rather than multiplied: hidden states of padding may be anything, NaN included.
            logits = self.linear(self.dropout(precise.masked_fill(~candidates.unsqueeze(-1), 0)))
            start, end = logits.masked_fill(~candidates.unsqueeze(-1), -torch.inf).log_softmax(1).unbind(-1)
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
