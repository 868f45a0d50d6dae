"""The models that a backbone can be: where each keeps the parts that components attach to.

A new model is one entry here; the tests run every combination of components on every entry.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Family = Literal["encoder", "decoder", "encoder-decoder"]
"""What kind of transformer it is: one that sees the text on both sides, or only what came before; or one of each."""

PackedMask = Literal["added", "added by layer", "seen"]
"""How a decoder takes a mask of its own for each row and token: as what is added to attention scores, for all layers or
for each type of layer; or as 1 where there is something to be seen."""

QKV = ("query", "key", "value")
"""The order of the thirds of a fused linear layer's output, or of each head's part of it."""

Linears = dict[str, str]
"""What a LoRA may target -> the linear layer, inside one transformer layer."""


@dataclass(frozen=True)
class Architecture:
    """Where one `model_type` of transformers keeps its parts, as module paths."""

    family: Family
    layers: str
    """The list of transformer layers, inside the base model; of an encoder-decoder the encoder's."""
    linears: Linears
    """Their linear layers."""
    lm_head: tuple[str, ...] = ("lm_head",)
    """The modules of the language model that follow the base model, in the order of their use."""
    embeddings: str | None = None
    """The module that turns word embeddings into what the layers read (positions added, normalised), inside the base
    model; None where no one module does, or none is known."""
    projected_embeddings: bool = False
    """That module also brings them to the width of the hidden states, where the two differ."""
    decoder_layers: str | None = None
    """The list of the decoder's layers in an encoder-decoder."""
    decoder_linears: Linears = field(default_factory=dict)
    """Their linear layers; those of cross-attention are left as they are."""
    base_model: str | None = None
    """Where the language model keeps the base model, in the model and in names of weights, if transformers errs; empty
    where it has the base model's parts itself."""
    scaled_head: bool = False
    """Hidden states are divided by the root of their width for an output layer which is the embeddings."""
    fused_qkv: Literal["thirds", "heads"] | None = None
    """Query, key and value come from one linear layer: as thirds of its output, or as thirds within each head."""
    plugged_in: bool = False
    """`adapters` knows it through its plug-in interface only, which has bottleneck adapters but no prefixes or IA3."""
    interface: dict[str, str] = field(default_factory=dict)
    """Where the library brings none: its names for the embeddings and what stands before the sublayers -> the module
    path, in the base model or a layer."""
    positions_after_padding: bool = False
    """Positions are numbered from `pad_token_id + 1`, so that many rows of the position table hold no token."""
    positions_by_mask: bool = False
    """It tells places apart by the attention mask alone, and takes no numbers of positions."""
    past_key_value: bool = False
    """The layers of `adapters` take the cache by this name, which transformers calls `past_key_values` by now."""
    packed_mask: PackedMask | None = None
    """How it takes rows of several documents, each with an attention of its own; None where it cannot."""
    packing_refused: str = "only the attention of decoders can be kept within the documents of a row"
    """Why it cannot."""
    exceeds_float16: bool = False
    """Its activations are too large for float16."""
    attention: str = "sdpa"
    """Transformers' name of the attention code, settled so that it does not depend on what else is installed."""
    unlisted_settings: tuple[str, ...] = ()
    """Keys of `config.json` that the modelling code reads although the configuration class does not name them."""
    fixed_settings: dict[str, Any] = field(default_factory=dict)
    """Configuration values that no `config.json` decides."""


_BERT = Architecture(
    family="encoder",
    embeddings="embeddings",
    layers="encoder.layer",
    linears={
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "attention_output": "attention.output.dense",
        "feed_forward_in": "intermediate.dense",
        "feed_forward_out": "output.dense",
    },
    lm_head=("cls",),
)
_ROBERTA = replace(_BERT, lm_head=("lm_head",), positions_after_padding=True)

# With sdpa, the prefixes of `adapters` fall out of the causal mask in the decoders that it knows natively.
_LLAMA = Architecture(
    family="decoder",
    layers="layers",
    linears={
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "attention_output": "self_attn.o_proj",
        "feed_forward_in": "mlp.up_proj",
        "feed_forward_out": "mlp.down_proj",
    },
    past_key_value=True,
    packed_mask="added",
    attention="eager",
)
_QWEN = replace(_LLAMA, plugged_in=True, past_key_value=False, packed_mask="added by layer", attention="sdpa")

_OPT_LINEARS = _LLAMA.linears | {
    "attention_output": "self_attn.out_proj",
    "feed_forward_in": "fc1",
    "feed_forward_out": "fc2",
}
_OPT_NORMS = {"layer_pre_self_attn": "self_attn_layer_norm", "layer_pre_ffn": "final_layer_norm"}
_LLAMA_NORMS = {"layer_pre_self_attn": "input_layernorm", "layer_pre_ffn": "post_attention_layernorm"}

_T5_LINEARS = {
    "query": "layer.0.SelfAttention.q",
    "key": "layer.0.SelfAttention.k",
    "value": "layer.0.SelfAttention.v",
    "attention_output": "layer.0.SelfAttention.o",
    "feed_forward_in": "layer.1.DenseReluDense.wi",
    "feed_forward_out": "layer.1.DenseReluDense.wo",
}
_T5 = Architecture(
    family="encoder-decoder",
    exceeds_float16=True,
    layers="encoder.block",
    linears=_T5_LINEARS,
    decoder_layers="decoder.block",
    decoder_linears={name: path.replace("layer.1", "layer.2") for name, path in _T5_LINEARS.items()},
    base_model="",
    scaled_head=True,
    attention="eager",
)
_BART = Architecture(
    family="encoder-decoder",
    layers="encoder.layers",
    linears=_OPT_LINEARS,
    decoder_layers="decoder.layers",
    decoder_linears=_OPT_LINEARS,
    attention="eager",
)

ARCHITECTURES: dict[str, Architecture] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "deberta-v2": replace(
        _BERT,
        projected_embeddings=True,
        linears=_BERT.linears | {name: f"attention.self.{name}_proj" for name in QKV},
        attention="eager",
        unlisted_settings=(
            "attention_head_size", "conv_act", "conv_groups", "conv_kernel_size", "embedding_size",
            "norm_rel_ebd", "position_buckets", "share_att_key",
        ),
    ),
    "distilbert": Architecture(
        family="encoder",
        embeddings="embeddings",
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
        # With sdpa, `adapters` adds 1 to the attention scores of prefixes whenever a row of the batch is padded.
        attention="eager",
    ),
    "electra": replace(_BERT, lm_head=("generator_predictions", "generator_lm_head"), attention="eager"),
    "modernbert": Architecture(
        family="encoder",
        embeddings="embeddings",
        layers="layers",
        linears={
            **dict.fromkeys(QKV, "attn.Wqkv"),
            "attention_output": "attn.Wo",
            "feed_forward_in": "mlp.Wi",
            "feed_forward_out": "mlp.Wo",
        },
        lm_head=("head", "decoder"),
        fused_qkv="thirds",
        plugged_in=True,
        unlisted_settings=("rope_scaling",),
        # Compiling parts of the model by itself would clash with the hooks of components.
        fixed_settings={"reference_compile": False},
    ),
    "gpt2": Architecture(
        family="decoder",
        layers="h",
        linears={
            **dict.fromkeys(QKV, "attn.c_attn"),
            "attention_output": "attn.c_proj",
            "feed_forward_in": "mlp.c_fc",
            "feed_forward_out": "mlp.c_proj",
        },
        fused_qkv="thirds",
        packed_mask="added",
        attention="eager",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _QWEN,
    "qwen3": _QWEN,
    "gemma": replace(_QWEN, packed_mask="added", interface={**_LLAMA_NORMS, "model_embeddings": "embed_tokens"}),
    # Transformers' sdpa leaves out the soft cap of the attention scores.
    "gemma2": replace(_QWEN, attention="eager"),
    "gemma3_text": replace(_QWEN, base_model="model"),
    "opt": Architecture(
        family="decoder",
        layers="decoder.layers",
        linears=_OPT_LINEARS,
        plugged_in=True,
        packed_mask="added",
        interface={**_OPT_NORMS, "model_embeddings": "decoder.embed_tokens"},
    ),
    "xglm": Architecture(
        family="decoder",
        layers="layers",
        linears=_OPT_LINEARS,
        plugged_in=True,
        packed_mask="seen",
        attention="eager",
        interface={**_OPT_NORMS, "model_embeddings": "embed_tokens"},
    ),
    "bloom": Architecture(
        family="decoder",
        layers="h",
        linears={
            **dict.fromkeys(QKV, "self_attention.query_key_value"),
            "attention_output": "self_attention.dense",
            "feed_forward_in": "mlp.dense_h_to_4h",
            "feed_forward_out": "mlp.dense_4h_to_h",
        },
        fused_qkv="heads",
        plugged_in=True,
        positions_by_mask=True,
        packing_refused="its positions (ALiBi) are counted in one mask that all tokens of a row have in common",
        attention="eager",
        interface={**_LLAMA_NORMS, "model_embeddings": "word_embeddings"},
    ),
    "t5": _T5,
    "mt5": _T5,
    "bart": _BART,
    "mbart": _BART,
}
