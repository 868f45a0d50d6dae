"""The encoders that a backbone can be: where each keeps the parts that components attach to.

A new encoder is one entry here; the tests run every combination of components on every entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Encoder:
    """Where one `model_type` of transformers keeps its parts, as module paths."""

    layers: str
    """The list of transformer layers, inside the base model."""
    linears: dict[str, str]
    """What a LoRA may target -> the linear layer, inside one transformer layer."""
    lm_head: tuple[str, ...]
    """The modules of the masked language model that follow the base model, in the order of their use."""
    lm_head_weight: str
    """A weight that a checkpoint holds only when its language model head was trained."""
    fused_qkv: bool = False
    """Query, key and value are equal thirds of one linear layer's output."""
    plugged_in: bool = False
    """`adapters` knows it through its plug-in interface only, which has bottleneck adapters but no prefixes or IA3."""
    positions_after_padding: bool = False
    """Positions are numbered from `pad_token_id + 1`, so that many rows of the position table hold no token."""
    attention: str = "sdpa"
    """Transformers' name of the attention code, settled so that it does not depend on what else is installed."""
    unlisted_settings: tuple[str, ...] = ()
    """Keys of `config.json` that the modelling code reads although the configuration class does not name them."""
    fixed_settings: dict[str, Any] = field(default_factory=dict)
    """Configuration values that no `config.json` decides."""


_BERT_LINEARS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "feed_forward_in": "intermediate.dense",
    "feed_forward_out": "output.dense",
}

_ROBERTA = Encoder(
    layers="encoder.layer",
    linears=_BERT_LINEARS,
    lm_head=("lm_head",),
    lm_head_weight="lm_head.bias",
    positions_after_padding=True,
)

ENCODERS: dict[str, Encoder] = {
    "bert": Encoder(
        layers="encoder.layer",
        linears=_BERT_LINEARS,
        lm_head=("cls",),
        lm_head_weight="cls.predictions.bias",
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "deberta-v2": Encoder(
        layers="encoder.layer",
        linears={
            **_BERT_LINEARS,
            "query": "attention.self.query_proj",
            "key": "attention.self.key_proj",
            "value": "attention.self.value_proj",
        },
        lm_head=("cls",),
        lm_head_weight="cls.predictions.bias",
        attention="eager",
        unlisted_settings=(
            "attention_head_size",
            "conv_act",
            "conv_groups",
            "conv_kernel_size",
            "embedding_size",
            "norm_rel_ebd",
            "position_buckets",
            "share_att_key",
        ),
    ),
    "distilbert": Encoder(
        layers="transformer.layer",
        linears={
            "query": "attention.q_lin",
            "key": "attention.k_lin",
            "value": "attention.v_lin",
            "attention_output": "attention.out_lin",
            "feed_forward_in": "ffn.lin1",
            "feed_forward_out": "ffn.lin2",
        },
        lm_head=("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"),
        lm_head_weight="vocab_projector.bias",
        # With sdpa, `adapters` adds 1 to the attention scores of prefixes whenever a row of the batch is padded.
        attention="eager",
    ),
    "electra": Encoder(
        layers="encoder.layer",
        linears=_BERT_LINEARS,
        lm_head=("generator_predictions", "generator_lm_head"),
        lm_head_weight="generator_lm_head.bias",
        attention="eager",
    ),
    "modernbert": Encoder(
        layers="layers",
        linears={
            "query": "attn.Wqkv",
            "key": "attn.Wqkv",
            "value": "attn.Wqkv",
            "attention_output": "attn.Wo",
            "feed_forward_in": "mlp.Wi",
            "feed_forward_out": "mlp.Wo",
        },
        lm_head=("head", "decoder"),
        lm_head_weight="decoder.bias",
        fused_qkv=True,
        plugged_in=True,
        unlisted_settings=("rope_scaling",),
        # Compiling parts of the model by itself would clash with the hooks of components.
        fixed_settings={"reference_compile": False},
    ),
}
