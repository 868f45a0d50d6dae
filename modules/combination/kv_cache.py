"""KV cache for generating and scoring continuations of an encoded text."""

import copy
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from modules.backbone.backbone import Backbone
from modules.combination.batch_rows import rolled

Embed = Callable[[Tensor], Tensor]
"""Gives embeddings [rows, time, embedding size] of token numbers [rows, time]."""
Logits = Callable[[Tensor], Tensor]
"""Gives logits over the vocabulary [number, vocabulary size] of hidden states [number, hidden size]."""


class DecodingState:
    """Rows that a backbone has read, with the keys and values that let it go on without reading them again.

    The backbone must be told before which components act; a subclass is for one family of backbones. What the
    `adapters` library adds to keys and values (prefixes) it adds anew at every step, behind what is kept here.
    """

    last: Tensor
    """The hidden states that each row's next token is predicted from [rows, hidden size]."""

    def __init__(
        self, backbone: Backbone, embed: Embed, cache: DynamicCache | EncoderDecoderCache, mask: Tensor
    ) -> None:
        self._backbone = backbone
        self._embed = embed
        self._cache = cache
        self._mask = mask

    def extend(self, ids: Tensor) -> Tensor:
        """Reads further tokens, behind all that it has read.

        Args:
            ids: [rows, time]. In a row that has fewer, whatever stands behind them makes no difference to them.

        Returns:
            Their hidden states [rows, time, hidden size].
        """
        raise NotImplementedError

    def repeat_interleave(self, times: int) -> Self:
        """Returns a reading of each row several times, one beside the other; this one stays as it is."""
        new = copy.copy(self)
        new.last = self.last.repeat_interleave(times, dim=0)
        new._mask = self._mask.repeat_interleave(times, dim=0)
        kept: Any = self._cache.to_legacy_cache()
        new._cache = type(self._cache)(kept)
        new._cache.batch_repeat_interleave(times)
        return new

    def reorder(self, rows: Tensor) -> None:
        """Goes on in each row [rows] behind what was read in another row of the same text."""
        self._cache.reorder_cache(rows)  # type: ignore[arg-type]  # transformers means any tensor of int64


class DecoderState(DecodingState):
    """A decoder's: what it goes on behind is the text itself."""

    def __init__(self, backbone: Backbone, embed: Embed, embeddings: Tensor, mask: Tensor) -> None:
        # Without sizes the cache keeps everything; the model's own masks narrow sliding windows.
        super().__init__(backbone, embed, DynamicCache(), mask[:, :0])
        # All rows end together, so that what comes next stands right behind each: a sliding window counts places.
        tokens = mask.sum(dim=1)
        self.last = self._read(rolled(embeddings, tokens), rolled(mask, tokens))[:, -1]

    def extend(self, ids: Tensor) -> Tensor:
        """Reads further tokens."""
        return self._read(self._embed(ids), torch.ones_like(ids))

    def _read(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        self._mask = torch.cat([self._mask, mask], dim=1)
        more: dict[str, Any] = {}
        if not self._backbone.info.architecture.positions_by_mask:
            places = (self._mask.cumsum(dim=1) - 1).clamp(min=0)
            more["position_ids"] = places[:, -mask.shape[1] :].contiguous()
        hidden: Tensor = self._backbone.model(
            inputs_embeds=embeddings, attention_mask=self._mask, past_key_values=self._cache, use_cache=True, **more
        ).last_hidden_state
        return hidden


class EncoderDecoderState(DecodingState):
    """An encoder-decoder's: the encoder has read the text, and the decoder goes on behind its start token."""

    def __init__(self, backbone: Backbone, embed: Embed, embeddings: Tensor, mask: Tensor) -> None:
        super().__init__(backbone, embed, EncoderDecoderCache(DynamicCache(), DynamicCache()), mask)
        start = backbone.shifted(mask[:, :1])
        read = self._read(start, inputs_embeds=embeddings)
        self._encoded: Tensor = read.encoder_last_hidden_state
        self.last = read.last_hidden_state[:, -1]

    def extend(self, ids: Tensor) -> Tensor:
        """Reads further tokens with the decoder alone."""
        hidden: Tensor = self._read(ids, encoder_outputs=(self._encoded,)).last_hidden_state
        return hidden

    def repeat_interleave(self, times: int) -> Self:
        """Returns a reading of each row several times, one beside the other; this one stays as it is."""
        new = super().repeat_interleave(times)
        new._encoded = self._encoded.repeat_interleave(times, dim=0)
        return new

    def _read(self, ids: Tensor, **text: Any) -> Any:
        return self._backbone.model(
            attention_mask=self._mask,
            decoder_inputs_embeds=self._embed(ids),
            past_key_values=self._cache,
            use_cache=True,
            **text,
        )


DECODING_STATES: dict[str, Callable[[Backbone, Embed, Tensor, Tensor], DecodingState]] = {
    "decoder": DecoderState,
    "encoder-decoder": EncoderDecoderState,
}
"""By family, what reads embeddings [rows, time, embedding size] of prompts and text with their mask [rows, time], 1 at
tokens; rows begin at once and are padded at the end."""
