"""Which pretrained model everything is built on, and what is known of it before its weights are loaded."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from modules.backbone.architectures import ARCHITECTURES, Architecture, Family

Precision = Literal["auto", "32", "bf16", "fp16"]
Accelerator = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class BackboneConfig:
    """The pretrained model."""

    name: str
    """A folder in the Hugging Face layout, or a repository on the hub, such as `FacebookAI/xlm-roberta-base`."""
    revision: str | None = None
    """Branch, tag or commit on the hub; null is the main branch."""
    precision: Precision = "auto"
    """`bf16` computes in bfloat16 where that is safe, `fp16` in float16 (for GPUs without bfloat16), `32` in float32;
    `auto` is bf16 where the device is fast at it, else 32, so that two machines may differ. The weights stay in
    float32."""
    random_init_seed: int | None = None
    """Seed of random weights, for pretraining from scratch; null loads the weights."""


@dataclasses.dataclass(frozen=True)
class Construction:
    """What is known of a model that can be built."""

    hidden_size: int
    """Width of its hidden states."""
    embedding_size: int
    """Width of its word embeddings."""
    layers: int
    """Number of its transformer layers, those of the encoder and the decoder together."""
    max_positions: int
    """Most positions of a row: prompts, special tokens and text together; `UNLIMITED` where only memory limits them."""
    vocabulary_size: int
    """Rows of its word embeddings."""
    has_lm_head: bool
    """Whether all weights of the language model head come from the weight files, or are drawn like all others."""


@dataclasses.dataclass(frozen=True)
class BackboneInfo(Construction):
    """What is known of a backbone before its weights are loaded."""

    name: str
    """As the configuration names it."""
    folder: Path
    """Where its files are."""
    revision: str
    """Commit on the hub, or "local"."""
    family: Family
    """What kind of transformer it is."""
    model_type: str
    """Its architecture's name in transformers, a key of `ARCHITECTURES`."""
    settings: dict[str, Any] = dataclasses.field(hash=False)
    """The known settings of its `config.json`."""
    tokenizer_hash: str
    """SHA-256 of the tokenizer."""
    weights_hash: str
    """SHA-256 of `config.json` and the weights, or of `config.json` and the seed that draws them."""

    @property
    def architecture(self) -> Architecture:
        """Where it keeps its parts."""
        return ARCHITECTURES[self.model_type]

    def precision_incompatibility(self, precision: Precision) -> str | None:
        """Returns why it cannot be computed in a precision, or None when it can."""
        if precision == "fp16" and self.architecture.exceeds_float16:
            return (
                f"{self.name} is a {self.model_type}, pretrained in bfloat16: its activations exceed the range of "
                "float16 and become infinite; use bf16 or 32"
            )
        return None

    def packing_incompatibility(self) -> str | None:
        """Returns why it cannot read several documents in one row, or None when it can."""
        if self.architecture.packed_mask is not None:
            return None
        return f"{self.name} ({self.model_type}) cannot read packed rows: {self.architecture.packing_refused}"
