"""Selects, left-aligns and reassembles the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Rows(NamedTuple):
    """Texts, and what else a backbone is given with them."""

    ids: Tensor
    """Tokens [rows, time]."""
    mask: Tensor
    """[rows, time], 1 at tokens."""
    types: Tensor | None = None
    """[rows, time], 1 at the second text of a pair."""
    decoder_ids: Tensor | None = None
    """[rows, decoder time]"""
    documents: Tensor | None = None
    """[rows, time], the number of each token's document, where rows hold several."""

    def at(self, rows: list[int]) -> Rows:
        """Returns some of the rows."""
        return Rows(*(None if tensor is None else tensor[rows] for tensor in self))  # type: ignore[arg-type]

    def rolled(self, by: Tensor) -> Rows:
        """Returns the rows moved to the left, each by its own number; what the decoder reads stays."""
        types, documents = (None if part is None else rolled(part, by) for part in (self.types, self.documents))
        return Rows(rolled(self.ids, by), rolled(self.mask, by), types, self.decoder_ids, documents)


def rolled(tensor: Tensor, by: Tensor) -> Tensor:
    """Returns a tensor [batch, time, ...] whose rows are moved to the left, each by its own number, in a ring."""
    time = tensor.shape[1]
    places = (torch.arange(time, device=tensor.device) + by[:, None]) % time
    return tensor[torch.arange(len(tensor), device=tensor.device)[:, None], places]


def put_together(parts: Sequence[tuple[list[int], Tensor]]) -> Tensor:
    """Returns one tensor whose rows stand where each part says."""
    numbers, tensors = zip(*parts, strict=True)
    order = torch.tensor([row for rows in numbers for row in rows])
    together: Tensor = torch.cat(tensors)
    return together[order.argsort().to(together.device)]
