"""Tiny repositories with the files, names and settings of models that people use.

Each has the layout that is known of the repository that it is named after: the form of the weights, the
names of the tensors, the form of the tokenizer and its class, and the files of other frameworks beside them.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import load_file

from tests.modules import tiny

Tensors = dict[str, torch.Tensor]

TEXT = [
    "habari ya dunia na watu wote wa nchi hii",
    "good morning to all people of this country",
    "доброе утро всем людям этой страны",
    "اليوم هو يوم جديد لكل الناس",
    "እንደምን አደራችሁ ሰላም ለሁላችሁ ይሁን",
    "buenos días a todas las personas de este país",
]
"""What the SentencePiece models are trained on."""
PIECES = 80
ROWS = PIECES + 8
"""Embeddings of a tiny model: for the pieces, and for what tokenizers add to them."""
SENTENCEPIECE = dict(tiny.SPECIAL, vocab_size=ROWS)
OTHER_FRAMEWORKS = ("flax_model.msgpack", "tf_model.h5", "rust_model.ot", "onnx/model.onnx")


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a repository lies on the hub."""

    model_type: str
    settings: Mapping[str, Any]
    """What differs from the tiny model of the type."""
    vocabulary: str | None
    """The name of its SentencePiece model; None where it has none."""
    tokenizer: Mapping[str, Any]
    """Its `tokenizer_config.json`; empty where it has a `tokenizer.json`, for which the tiny model's stands."""
    has_lm_head: bool = True
    tensors: Callable[[Tensors], Tensors] = dict
    """Renames the tensors of transformers' model."""
    trainer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """How its SentencePiece model was trained, where that matters."""
    parts: int = 1
    """The number of files that the weights are in."""
    other_files: tuple[str, ...] = ()


def without_head(prefix: str, *heads: str) -> Callable[[Tensors], Tensors]:
    """Returns what keeps the base model, under its own names."""

    def rename(tensors: Tensors) -> Tensors:
        return {name.removeprefix(prefix): one for name, one in tensors.items() if not name.startswith(heads)}

    return rename


def with_discriminator(tensors: Tensors) -> Tensors:
    """DeBERTa v3 brings heads that transformers does not know, of replaced token detection, and not its own."""
    kept = {name: one for name, one in tensors.items() if not name.startswith("cls.")}
    width = tiny.WIDTH
    return kept | {
        "lm_predictions.lm_head.bias": torch.zeros(ROWS),
        "lm_predictions.lm_head.dense.weight": torch.zeros(width, width),
        "mask_predictions.classifier.weight": torch.zeros(1, width),
    }


def with_shared(tensors: Tensors) -> Tensors:
    """T5's files hold the embeddings three times."""
    copies = {f"{stack}.embed_tokens.weight": tensors["shared.weight"] for stack in ("encoder", "decoder")}
    return tensors | copies


XLM_R = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}
LAYOUTS = {
    "BAAI/bge-m3": Layout(
        "xlm-roberta",
        SENTENCEPIECE,
        "sentencepiece.bpe.model",
        XLM_R | {"sep_token": "</s>"},
        has_lm_head=False,
        tensors=without_head("roberta.", "lm_head"),
        other_files=("colbert_linear.pt", "sparse_linear.pt", "onnx/model.onnx_data", "modules.json"),
    ),
    "castorini/afriberta_base": Layout("xlm-roberta", SENTENCEPIECE, "sentencepiece.bpe.model", XLM_R),
    "cis-lmu/glot500-base": Layout("xlm-roberta", SENTENCEPIECE, "sentencepiece.bpe.model", XLM_R, parts=2),
    "microsoft/mdeberta-v3-base": Layout(
        "deberta-v2",
        SENTENCEPIECE | {"pad_token_id": 0},
        "spm.model",
        {"do_lower_case": False, "vocab_type": "spm"},
        has_lm_head=False,
        tensors=with_discriminator,
        other_files=("tf_model.h5", "pytorch_model.generator.bin", "generator_config.json"),
    ),
    "google/mt5-base": Layout(
        "mt5",
        {"vocab_size": ROWS, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
        "spiece.model",
        {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "special_tokens_map_file": "/gone/special_tokens_map.json"},
        tensors=with_shared,
        other_files=OTHER_FRAMEWORKS,
    ),
    "facebook/xglm-564M": Layout(
        "xglm",
        SENTENCEPIECE,
        "sentencepiece.bpe.model",
        {"tokenizer_class": "XGLMTokenizer"},
        other_files=OTHER_FRAMEWORKS,
    ),
    "google/byt5-small": Layout(
        "t5",
        {
            "vocab_size": 384,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "decoder_start_token_id": 0,
            "tie_word_embeddings": False,
            "feed_forward_proj": "gated-gelu",
        },
        None,
        {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 125},
        other_files=OTHER_FRAMEWORKS,
    ),
    "NousResearch/Llama-2-7b-hf": Layout(
        "llama",
        {"vocab_size": ROWS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
        "tokenizer.model",
        {"tokenizer_class": "LlamaTokenizer", "legacy": False},
        trainer={"model_type": "bpe", "remove_extra_whitespaces": False},
        parts=2,
    ),
    "jhu-clsp/mmBERT-base": Layout("modernbert", {}, None, {}),
}
"""By the name of the real repository."""


def write_layout(name: str, folder: Path) -> Path:
    """Writes a tiny repository in the layout of a real one."""
    layout = LAYOUTS[name]
    tiny.build(folder, layout.model_type, **layout.settings)
    tensors = layout.tensors(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    for number in range(layout.parts):
        numbered = "" if layout.parts == 1 else f"-{number + 1:05}-of-{layout.parts:05}"
        part = dict(sorted(tensors.items())[number :: layout.parts])
        torch.save(part, folder / f"pytorch_model{numbered}.bin")
    if layout.tokenizer:
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer_config.json").write_text(json.dumps(layout.tokenizer))
    if layout.vocabulary is not None:
        (folder / layout.vocabulary).write_bytes(sentencepiece_model(**layout.trainer))
    for other in layout.other_files:
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_bytes(b"of another framework")
    return folder


def sentencepiece_model(**options: Any) -> bytes:
    """Returns a small model that is trained on `TEXT`, a unigram one unless an option says otherwise."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_writer=written,
        vocab_size=PIECES,
        character_coverage=1.0,
        minloglevel=2,
        **options,
    )
    return written.getvalue()
