"""Causal language modelling on packed rows: several documents side by side, each with its own attention.

A row must hold exactly `max_length` tokens and the next one must begin where it ends. Where that is, only the
tokenizer can tell, so rows are cut by tokens, not by characters as blocks are. That has its price: each rank and each
worker tokenises the whole stream, and a resumed run tokenises again what comes before. The rows of a corpus that
fits the shuffle buffer are kept, so that such a corpus is tokenised once per process, whatever the number of epochs.
"""

from __future__ import annotations

import dataclasses
import functools
from array import array
from collections.abc import Iterable, Iterator, Sequence

from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.batching.tokenization import encoded, filled, padded
from datamodules.unlabelled.base import IGNORED, Batching, Reader
from datamodules.unlabelled.text import MonolingualText


@dataclasses.dataclass(frozen=True, slots=True)
class PackedRow:
    """The tokens of a row by document."""

    pieces: Sequence[array[int]]
    """Documents, or parts of them; 32-bit arrays, for a shuffle buffer holds thousands of rows."""
    language: str

    @property
    def length(self) -> int:
        """Number of tokens."""
        return sum(map(len, self.pieces))


class Packing(Batching[PackedRow]):
    """Packs documents into rows and predicts their tokens.

    Batches: [B, T] long with T = `max_length` are `input_ids`, `attention_mask`, `labels`, `document` and
    `position_ids`; `language` is a list of B strings. `document` numbers the documents of a row from 1 and is 0 where
    padded. `position_ids` begin with 0 in each document of a row. The labels are the tokens themselves in their own
    places; -100 where padded, and at the first token of each document, before which nothing is to be seen.

    Each document has the BOS and EOS that the tokenizer puts around a text. One that does not fit is cut and goes on
    in the next row as a document of its own, without another BOS. Only the last row of a language's corpus is padded.
    """

    @override
    def reader(self, text: MonolingualText, language: str, split: str) -> Reader[PackedRow]:
        return functools.partial(self._rows, text, language, split)

    @override
    def __call__(self, rows: Sequence[PackedRow], numbers: Sequence[int]) -> Batch:
        ids, labels, documents, positions = [], [], [], []
        for row in rows:
            ids.append([token for piece in row.pieces for token in piece])
            labels.append([label for piece in row.pieces for label in (IGNORED, *piece[1:])])
            documents.append([number for number, piece in enumerate(row.pieces, start=1) for _ in piece])
            positions.append([position for piece in row.pieces for position in range(len(piece))])
        batch: Batch = padded(ids, self.tokenizer.pad_token_id, self.config.max_length)
        batch["labels"] = filled(labels, IGNORED, self.config.max_length)
        batch["document"] = filled(documents, 0, self.config.max_length)
        batch["position_ids"] = filled(positions, 0, self.config.max_length)
        batch["language"] = [row.language for row in rows]
        return batch

    def _rows(self, text: MonolingualText, language: str, split: str) -> Iterator[PackedRow]:
        documents = encoded(self.tokenizer, text.texts(language, split))
        arrays = (array("i", document["input_ids"]) for document in documents)
        for pieces in packed(arrays, self.config.max_length):
            yield PackedRow(pieces, language)


def packed(documents: Iterable[array[int]], length: int) -> Iterator[list[array[int]]]:
    """Packs documents into rows, in their order.

    Args:
        documents: Token ids of each.
        length: Of a row, in tokens.

    Yields:
        The documents of a row, or parts of them, of `length` tokens together; the last row may have fewer.
    """
    row: list[array[int]] = []
    free = length
    for ids in documents:
        start = 0
        while start < len(ids):
            piece = ids[start : start + free]
            row.append(piece)
            start += len(piece)
            free -= len(piece)
            if not free:
                yield row
                row, free = [], length
    if row:
        yield row
