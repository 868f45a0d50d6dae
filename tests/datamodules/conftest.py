from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from datamodules.batching.loaders import Batch
from datamodules.unlabelled.base import IGNORED

ROOT = Path(__file__).parents[2]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

Write = Callable[[str, list[dict[str, Any]]], Path]


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token per word: w0 to w99 are known, all else is unknown."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *(f"w{n}" for n in range(100))])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


@pytest.fixture
def joining(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """A tokenizer that joins pairs as BERT's does: a token between, and types."""
    copy = PreTrainedTokenizerFast(
        tokenizer_object=type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str()),
        **{name: str(token) for name, token in tokenizer.special_tokens_map.items()},
    )
    copy.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return copy


def originals(batch: Batch) -> torch.Tensor:
    """The tokens of a batch before they were masked."""
    return torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"])


T5_SPECIAL = ["<pad>", "</s>", "<unk>"]


def like_t5(pieces: Tokenizer, sentinels: int = 100) -> PreTrainedTokenizerFast:
    """A tokenizer that ends a text with </s>, with sentinels as T5 has them: the last id is <extra_id_0>."""
    names = [f"<extra_id_{number}>" for number in reversed(range(sentinels))]
    pieces.add_special_tokens([AddedToken(name, special=True) for name in names])
    end = pieces.token_to_id("</s>")
    pieces.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=names,
    )


@pytest.fixture(scope="session")
def t5_tokenizer() -> PreTrainedTokenizerFast:
    """One piece per word, w0 to w99, and a hundred sentinels."""
    words = [*((special, 0.0) for special in T5_SPECIAL), *((f"▁w{n}", -1.0) for n in range(100))]
    pieces = Tokenizer(models.Unigram(words, unk_id=2))
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    return like_t5(pieces)


@pytest.fixture
def folder(write: Write) -> Path:
    """Swahili of words w0 to w49, Yoruba of words w50 to w99, in documents of 1 to 30 words."""
    for code, first in (("swh_Latn", 0), ("yor_Latn", 50)):
        for split, count in (("train", 90), ("validation", 30)):
            made = write(
                f"{code}/{split}",
                [
                    {"text": " ".join(f"w{first + (n + word) % 50}" for word in range(1 + n * 7 % 30))}
                    for n in range(count)
                ],
            )
    return made


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes rows as `<tmp_path>/<name>.parquet`; gives the temporary folder."""

    def write(name: str, rows: list[dict[str, Any]]) -> Path:
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
        return tmp_path

    return write
