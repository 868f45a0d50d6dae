"""Greedy and beam search from a cached prefix."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig
from transformers.modeling_outputs import CausalLMOutputWithPast

from modules.combination.kv_cache import DecodingState, Logits


def generate_tokens(
    reading: DecodingState, logits: Logits, *, max_new_tokens: int, beams: int, ends: Sequence[int], padding: int
) -> list[list[int]]:
    """Writes a likely continuation of each row.

    Args:
        reading: What was read; it stays as it is.
        logits: Predicts the next token.
        max_new_tokens: Most tokens that are written.
        beams: How many continuations a row is searched by; of those that end, the one of the highest log-likelihood
            per token is taken. With 1 the most likely token follows each time.
        ends: Tokens that a text ends with.
        padding: The padding token.

    Returns:
        For each row the tokens, with the one that it ends with if that was written.
    """
    rows = len(reading.last)
    search = _Search(reading.repeat_interleave(beams), logits)
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        num_beams=beams,
        do_sample=False,
        eos_token_id=list(ends),
        pad_token_id=padding,
        use_cache=False,  # it is to make none: the reading has its own
    )
    # The first column only stands for what was read; it is never looked at.
    column = torch.zeros(rows, 1, dtype=torch.long, device=reading.last.device)
    found = search.generate(column, config, attention_mask=torch.ones_like(column))
    return [_until(row, ends) for row in found[:, 1:].tolist()]


def _until(tokens: list[int], ends: Sequence[int]) -> list[int]:
    """Returns tokens up to the first of those that end a text, and with it."""
    stop = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[: stop + 1]


class _Search(GenerationMixin):
    """What transformers' search needs of a model, over a reading that stands before the first token."""

    main_input_name = "input_ids"
    _is_stateful = False

    def __init__(self, reading: DecodingState, logits: Logits) -> None:
        self.reading = reading
        self.logits = logits
        self.config = PretrainedConfig(vocab_size=logits(reading.last[:1]).shape[-1])
        self.generation_config = GenerationConfig()

    @property
    def device(self) -> torch.device:
        return self.reading.last.device

    def can_generate(self) -> bool:
        return True

    def prepare_inputs_for_generation(
        self, input_ids: Any, *_: Any, attention_mask: Any = None, **__: Any
    ) -> dict[str, Tensor]:
        return {"input_ids": input_ids}

    def forward(self, input_ids: Tensor, return_dict: bool = True) -> Any:
        hidden = self.reading.last if input_ids.shape[1] == 1 else self.reading.extend(input_ids[:, -1:])[:, -1]
        logits: Any = self.logits(hidden)[:, None]
        # Returned in the place of a cache, so that the search has it follow its beams.
        cache: Any = self.reading
        return CausalLMOutputWithPast(logits=logits, past_key_values=cache)

    __call__ = forward

    def _reorder_cache(self, reading: DecodingState, rows: Tensor) -> DecodingState:
        reading.reorder(rows)
        return reading
