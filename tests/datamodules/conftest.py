from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

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
def write(tmp_path: Path) -> Write:
    """Writes rows as `<tmp_path>/<name>.parquet`; gives the temporary folder."""

    def write(name: str, rows: list[dict[str, Any]]) -> Path:
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
        return tmp_path

    return write
