"""Rows of several documents, each of which sees itself and the prompts, and nothing of the others."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modules.backbone.architectures import PackedMask


def packed_inputs(documents: Tensor, prompts: int, dtype: torch.dtype, form: PackedMask, config: Any) -> dict[str, Any]:
    """Returns what tells a decoder's base model where documents begin and end: its mask and its positions.

    Prompts have the first positions; each document goes on behind them as if it were alone.

    Args:
        documents: [batch, time], the number of each token's document in its row, 0 where padded behind them.
        prompts: How many positions prompts take in front of the text.
        dtype: Of the embeddings.
        form: How the model takes the mask.
        config: The model's, which names its sliding window.

    Returns:
        `attention_mask` and `position_ids` [batch, prompts + time].
    """
    place = torch.arange(prompts + documents.shape[1], device=documents.device)
    documents = functional.pad(documents, (prompts, 0), value=-1)
    begins = functional.pad(documents.diff(dim=1) != 0, (1, 0))
    # Each token's place, less that of its document's first token.
    positions = place - torch.where(begins, place - prompts, 0).cummax(dim=1).values
    own = documents[:, :, None] == documents[:, None, :]
    seen = (own | (place < prompts)) & (place[:, None] >= place)
    window = getattr(config, "sliding_window", None)
    near = seen if window is None else seen & (positions[:, :, None] - positions[:, None, :] < window)
    return {"attention_mask": _FORMS[form](seen[:, None], near[:, None], dtype), "position_ids": positions}


def _added(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns what is added to attention scores."""
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


class _ByLayer(dict[str, Tensor]):
    """Masks by type of layer, in which `adapters` can look for ones: it does so for ReFT even where there is none."""

    def __eq__(self, value: object) -> Tensor:  # type: ignore[override]
        return self["full_attention"].eq(value)  # type: ignore[call-overload, no-any-return]

    def argmax(self, dim: int) -> Tensor:
        """Returns what a tensor would."""
        return self["full_attention"].argmax(dim)


_FORMS: dict[PackedMask, Callable[[Tensor, Tensor, torch.dtype], Any]] = {
    "added": lambda seen, near, dtype: _added(near, dtype),
    "added by layer": lambda seen, near, dtype: _ByLayer(
        full_attention=_added(seen, dtype), sliding_attention=_added(near, dtype)
    ),
    "seen": lambda seen, near, dtype: near.to(dtype),
}
