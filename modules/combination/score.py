"""How likely continuations of texts are: the sums of their tokens' log-likelihoods."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from modules.combination.kv_cache import DecodingState, Logits

Continuations = Sequence[Sequence[Sequence[int]]]
"""For each row its continuations, equally many for all rows; each the numbers of one or more tokens."""

AT_ONCE = 256
"""As many logits over the vocabulary are held at a time, where no gradient needs them all."""


def padded(continuations: Continuations, device: torch.device, at_least: int = 1) -> tuple[Tensor, Tensor]:
    """Returns the tokens and their mask [rows, continuations, time], padded at the end to some time at least."""
    lengths = torch.tensor([[len(one) for one in row] for row in continuations], device=device)
    time = max(at_least, int(lengths.max()))
    tokens = [[[*one, *[0] * (time - len(one))] for one in row] for row in continuations]
    return torch.tensor(tokens, device=device), torch.arange(time, device=device) < lengths[..., None]


def continuation_log_probs(reading: DecodingState, logits: Logits, tokens: Tensor, mask: Tensor) -> Tensor:
    """Returns the log-likelihoods of continuations of texts.

    Args:
        reading: The texts; it stays as it is.
        logits: Predicts tokens.
        tokens: [rows, continuations, time], padded at the end.
        mask: [rows, continuations, time], true at tokens.

    Returns:
        [rows, continuations], in float32 at least.
    """
    # The first tokens of all continuations of a text are predicted from one hidden state.
    sums = _precise(logits(reading.last)).log_softmax(dim=-1).gather(1, tokens[:, :, 0])
    if tokens.shape[2] == 1:
        return sums
    many = tokens.shape[1]
    tokens, mask = tokens.flatten(0, 1), mask.flatten(0, 1)
    hidden = reading.repeat_interleave(many).extend(tokens[:, :-1])
    return sums + likelihoods_at(hidden, logits, tokens[:, 1:], mask[:, 1:]).view_as(sums)


def likelihoods_at(hidden: Tensor, logits: Logits, tokens: Tensor, mask: Tensor) -> Tensor:
    """Returns the log-likelihoods of rows of tokens.

    Args:
        hidden: The hidden states that each token is predicted from [rows, time, hidden size].
        logits: Predicts them.
        tokens: [rows, time].
        mask: [rows, time], true at tokens.

    Returns:
        [rows], in float32 at least.
    """
    parts = [
        -functional.cross_entropy(_precise(logits(vectors)), wanted, reduction="none")
        for vectors, wanted in zip(hidden[mask].split(AT_ONCE), tokens[mask].split(AT_ONCE), strict=True)
    ]
    found = torch.cat(parts)
    return found.new_zeros(mask.shape).masked_scatter(mask, found).sum(dim=1)


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
