"""Questions and their contexts to rows of tokens: a context that is too long gives several, which overlap."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from datamodules.batching.tokenization import check_pairs
from datamodules.errors import DataError

_PAIRS_AT_A_TIME = 1000


class Window(NamedTuple):
    """A question and a part of its context, tokenised."""

    pair: int
    """Number of the pair that it is of."""
    ids: list[int]
    types: list[int]
    """As in `PairTokens`."""
    first: int
    """Place of the context's first token in the row."""
    offsets: npt.NDArray[np.int32]
    """[tokens of the context, 2]: where in the whole context each begins and ends, in characters."""

    @property
    def nowhere(self) -> int:
        """Place of the special token before the context, the target of a window without the answer."""
        return self.first - 1

    def tokens_of(self, place: tuple[int, int] | None) -> tuple[int, int]:
        """Finds the tokens that hold a part of the context, which begins and ends at these characters.

        Returns:
            Places of its first and last token in the row; twice `nowhere` where the window does not hold all of it.
        """
        if place is None or not len(self.offsets):
            return self.nowhere, self.nowhere
        begin, end = place
        begins, ends = self.offsets[:, 0], self.offsets[:, 1]
        # A token may hold white space before its word, and more than the part: it is in if they share a character.
        first = int(np.searchsorted(ends, begin, side="right"))
        last = int(np.searchsorted(begins, end, side="left")) - 1
        if begins[0] > begin or ends[-1] < end or first > last:
            return self.nowhere, self.nowhere
        return self.first + first, self.first + last


def context_windows(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[tuple[str, str]],
    max_length: int,
    stride: int,
    prefix: str = "",
) -> Iterator[Window]:
    """Tokenises questions with their contexts.

    Whatever of a context is no longer than `stride` tokens lies whole in one of its windows. A question that would
    leave a window room for less than `stride` new tokens loses its end.

    Args:
        tokenizer: Of the backbone.
        pairs: A question and its context each.
        max_length: Longest window in tokens, with the question, special tokens and prefix.
        stride: Tokens that a window shares with the one before it.
        prefix: Put in front of each question.

    Yields:
        The windows of the first pair in their order, then those of the second, and so on; at least one for each pair.

    Raises:
        DataError: If the tokenizer puts nothing between two texts or gives no token offsets, or no room is
            left for a question.
    """
    check_pairs(tokenizer)
    if not tokenizer.is_fast:
        raise DataError("the tokenizer of the backbone is none of the fast ones, which say where a token stands")
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True) - 2 * stride
    if room < 1:
        raise DataError(f"a window of {max_length} tokens with a stride of {stride} has no room for a question")
    for start in range(0, len(pairs), _PAIRS_AT_A_TIME):
        some = pairs[start : start + _PAIRS_AT_A_TIME]
        made = tokenizer(
            _cut(tokenizer, [prefix + question for question, _ in some], room),
            [context for _, context in some],
            truncation="only_second",
            max_length=max_length,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,  # no warning about texts longer than the backbone can read
        )
        for row, number in enumerate(made["overflow_to_sample_mapping"]):
            ids = made["input_ids"][row]
            types = made["token_type_ids"][row] if "token_type_ids" in made else [0] * len(ids)
            texts = made.sequence_ids(row)
            first = texts.index(1) if 1 in texts else len(ids)
            offsets = made["offset_mapping"][row][first : first + texts.count(1)]
            yield Window(start + number, ids, types, first, np.array(offsets, np.int32).reshape(-1, 2))


def _cut(tokenizer: PreTrainedTokenizerBase, questions: list[str], room: int) -> list[str]:
    """Truncates questions to `room` tokens."""
    made = tokenizer(
        questions, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False, verbose=False
    )
    return [
        question if len(places) <= room else question[: places[room - 1][1]]
        for question, places in zip(questions, made["offset_mapping"], strict=True)
    ]
