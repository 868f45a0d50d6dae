"""Tiny random models as Hugging Face folders, and what the tests put on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
)

from modules.backbone.architectures import ARCHITECTURES

VOCABULARY = 64
WIDTH = 32
LAYERS = 2
POSITIONS = 40

SPECIAL = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
    **SPECIAL,
}
T5 = {
    "vocab_size": VOCABULARY,
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": LAYERS,
    "num_decoder_layers": LAYERS,
    "num_heads": 4,
    "decoder_start_token_id": 1,
    **SPECIAL,
}
BART = {
    "vocab_size": VOCABULARY,
    "d_model": WIDTH,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": POSITIONS,
    "decoder_start_token_id": 2,
    **SPECIAL,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "bert": COMMON,
    "roberta": COMMON | {"max_position_embeddings": POSITIONS + 2},
    "xlm-roberta": COMMON | {"max_position_embeddings": POSITIONS + 2},
    "deberta-v2": COMMON
    | {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "distilbert": {
        "vocab_size": VOCABULARY,
        "dim": WIDTH,
        "hidden_dim": 48,
        "n_layers": LAYERS,
        "n_heads": 4,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": 1,
    },
    "electra": COMMON | {"embedding_size": 24},
    "gpt2": {
        "vocab_size": VOCABULARY,
        "n_embd": WIDTH,
        "n_layer": LAYERS,
        "n_head": 4,
        "n_positions": POSITIONS,
        **SPECIAL,
    },
    "llama": COMMON | {"num_key_value_heads": 2, "tie_word_embeddings": False},
    "mistral": COMMON | {"num_key_value_heads": 2, "sliding_window": None},
    "qwen2": COMMON | {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen3": COMMON | {"num_key_value_heads": 2, "head_dim": 8},
    "gemma": COMMON | {"num_key_value_heads": 2, "head_dim": 8},
    "gemma2": COMMON | {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 8},
    "gemma3_text": COMMON | {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 8},
    "opt": {
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "word_embed_proj_dim": WIDTH,
        "ffn_dim": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": POSITIONS,
        **SPECIAL,
    },
    "xglm": {
        "vocab_size": VOCABULARY,
        "d_model": WIDTH,
        "ffn_dim": 48,
        "num_layers": LAYERS,
        "attention_heads": 4,
        "max_position_embeddings": POSITIONS,
        "init_std": 0.1,  # with its own, all units of one adapter happen to be dead
        **SPECIAL,
    },
    "t5": T5,
    "mt5": T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "bart": BART,
    "mbart": BART | {"scale_embedding": True},
    "bloom": {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "n_layer": LAYERS, "n_head": 4, **SPECIAL},
    "modernbert": COMMON
    | {
        "global_attn_every_n_layers": 2,
        "local_attention": 8,
        "cls_token_id": 0,
        "sep_token_id": 2,
    },
}
"""A configuration for each supported model, as small as its parts allow."""

MODELS = list(SETTINGS)
LANGUAGE_MODELS = {
    "encoder": MODEL_FOR_MASKED_LM_MAPPING,
    "decoder": MODEL_FOR_CAUSAL_LM_MAPPING,
    "encoder-decoder": MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
}
WORDS = [f"w{number}" for number in range(VOCABULARY - 5)]


def build(folder: Path, model_type: str, *, seed: int = 0, dropout: float | None = None, **settings: Any) -> Path:
    """Writes a random model with its language model head and a tokenizer of words `w0`, `w1`, …."""
    config = write_config(folder, model_type, dropout=dropout, **settings)
    class_ = LANGUAGE_MODELS[ARCHITECTURES[model_type].family][type(config)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = class_(config)
        # A fresh model's biases are zero and its norms one, which would hide what moves between them.
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    model.tie_weights()
    tied = {id(model.get_input_embeddings().weight)}
    state = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) in tied and name in (model._tied_weights_keys or []):
            continue
        state[name] = tensor.detach().clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_config(folder: Path, model_type: str, *, dropout: float | None = None, **settings: Any) -> Any:
    """Writes all of a model but its weights; returns its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIG_MAPPING[model_type](**(SETTINGS[model_type] | settings))
    if dropout is not None:
        for name in vars(config):
            is_one = ("dropout" in name or name.endswith("_pdrop")) and not name.startswith("classifier")
            if is_one and isinstance(getattr(config, name), float):
                setattr(config, name, dropout)
    family = ARCHITECTURES[model_type].family
    config.architectures = [LANGUAGE_MODELS[family][type(config)].__name__]
    config.to_json_file(folder / "config.json", use_diff=False)
    write_tokenizer(folder, sentinels=8 if family == "encoder-decoder" else 0)
    return config


def write_tokenizer(folder: Path, sentinels: int = 0) -> None:
    """Writes a fast tokenizer that splits at blanks; sentinels of span corruption take the places of the last words."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    extra = [f"<extra_id_{number}>" for number in range(sentinels)]
    vocabulary = {token: number for number, token in enumerate(special + WORDS[: len(WORDS) - sentinels] + extra)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ["bos_token", "pad_token", "eos_token", "unk_token", "mask_token"]
    settings = dict(zip(names, special, strict=True)) | {
        "cls_token": "<s>",
        "sep_token": "</s>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def batch(rows: int = 4, time: int = 9, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns token numbers and the attention mask of rows of different lengths, the first of them the longest."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (rows, time), generator=generator)
    ids[:, 0] = 0
    lengths = torch.tensor([time - row % 3 for row in range(rows)])
    mask = (torch.arange(time) < lengths[:, None]).long()
    return ids * mask + (1 - mask), mask
