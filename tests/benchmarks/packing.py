"""Tokens that a decoder learns from in a second: packed rows against rows of one document, and against joined text.

    python -m tests.benchmarks.packing TOKENIZER_FOLDER TEXT_FOLDER

TEXT_FOLDER holds `<language>/train.parquet` with a column `text`. The model is a small random Llama with the folder's
tokenizer. All three ways take turns in one process, so that what else the machine does hits them alike. Only real
tokens count, not padding; a document that is longer than a row is cut in all of them.
"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from datamodules import CausalConfig, MonolingualData, MonolingualText, PackingConfig
from datamodules.batching.tokenization import filled, padded, token_ids
from datamodules.unlabelled.base import IGNORED
from modules import BackboneConfig, Combination, OptimizationConfig, load_backbone
from modules.components import FullConfig
from modules.training.language_modeling import CausalLanguageModeling

LANGUAGE = "swh_Latn"
ROWS, TOKENS, STEPS = 8, 256, 8
MODEL = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": TOKENS,
    "tie_word_embeddings": True,
}


def stage(tokenizer: Path, folder: Path) -> CausalLanguageModeling:
    """Makes a small Llama that is trained as a whole."""
    for file in tokenizer.glob("*token*.json"):
        shutil.copy(file, folder)
    settings = json.loads((tokenizer / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(MODEL | {"vocab_size": settings["vocab_size"]}))
    config = BackboneConfig(name=str(folder), random_init_seed=0, precision="32")
    whole = Combination(load_backbone(config, with_lm_head=True))
    return CausalLanguageModeling(whole, [whole.add("language", "full", FullConfig(), seed=0)], OptimizationConfig(1))


def one_document_a_row(text: MonolingualText, tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Batches of documents, padded to the longest."""
    texts = text.texts(LANGUAGE, "train")
    while some := list(itertools.islice(texts, ROWS)):
        ids = token_ids(tokenizer, some, TOKENS)
        yield {**padded(ids, tokenizer.pad_token_id), "labels": filled(ids, IGNORED), "language": [LANGUAGE] * len(ids)}


def step(module: CausalLanguageModeling, batch: dict[str, Any]) -> tuple[int, float]:
    """Returns the real tokens of a batch, and the seconds that a forward and a backward pass take."""
    started = time.perf_counter()
    functional.cross_entropy(*module(batch)).backward()
    module.zero_grad()
    return int(batch["attention_mask"].sum()), time.perf_counter() - started


def main() -> None:
    """Measures the three ways in turns and prints the median of tokens per second, with their ratio."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        module = stage(Path(sys.argv[1]), Path(folder))
    tokenizer = module.combination.backbone.tokenizer
    streams: dict[str, Iterator[dict[str, Any]]] = {
        "one document a row": one_document_a_row(
            MonolingualText(CausalConfig("texts", path=sys.argv[2])), tokenizer
        )
    }
    for name, config in {"joined and cut": CausalConfig, "packed": PackingConfig}.items():
        settings = config("texts", path=sys.argv[2], max_length=TOKENS)
        data = MonolingualData(settings, tokenizer, languages=[LANGUAGE], batch_size=ROWS)
        streams[name] = iter(data.train_dataloader())
    speeds: dict[str, list[float]] = {name: [] for name in streams}
    shares: dict[str, list[float]] = {name: [] for name in streams}
    for _ in range(STEPS):
        for name, stream in streams.items():
            batch = next(stream)
            tokens, seconds = step(module, batch)
            speeds[name].append(tokens / seconds)
            shares[name].append(tokens / batch["attention_mask"].numel())
    packed = statistics.median(speeds["packed"])
    for name, measured in speeds.items():
        speed = statistics.median(measured)
        print(
            f"{name:<20}{speed:>8,.0f} tokens/s   {statistics.mean(shares[name]):.0%} of positions are tokens   "
            f"packed is {packed / speed:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
