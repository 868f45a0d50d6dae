"""The settings of each kind of component; the file of the kind's name holds what is trained."""

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from modules.backbone.architectures import ARCHITECTURES
from modules.backbone.info import BackboneInfo
from modules.components.base_config import ComponentConfig, layers_out_of_range

SETTINGS = ConfigDict(extra="forbid")
PHM_DIMENSION = 4
"""Compacter's matrices are sums of this many Kronecker products, so that widths must be multiples of it."""
Target = Literal["query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out"]
DEFAULT_TARGETS: tuple[Target, ...] = ("query", "value")


@dataclass(frozen=True, config=SETTINGS)
class SoftPromptConfig(ComponentConfig):
    """Settings of a soft prompt."""

    kind: ClassVar[str] = "prompt"
    location: ClassVar[str] = "in front of the text, at the embeddings"

    length: int = Field(default=50, le=10_000)
    """Number of vectors; each takes one of the backbone's positions."""
    init: str = "vocabulary"
    """First values: `vocabulary` takes the embeddings of random tokens, `normal` draws numbers, and any other text
    gives the embeddings of its tokens, repeated up to the length; `{language}` in it is the language's English name."""
    std: float = Field(default=0.02, gt=0, le=1e6)
    """Standard deviation of the initial values for `normal`."""
    reparameterization: int | None = Field(default=None, ge=1, le=2**16)
    """Hidden width of a two-layer MLP that reparameterizes the prompt; null for none."""
    position: Literal["before_bos", "after_bos"] = "before_bos"
    """Before the text's first token, which is BOS if the tokenizer adds one, or directly after it."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError("length must be at least 1; leave the prompt out to have none")
        if not self.init.strip():
            raise ValueError("init must be 'vocabulary', 'normal' or a text")

    @property
    @override
    def positions(self) -> int:
        return self.length

    @property
    @override
    def after_bos(self) -> bool:
        return self.position == "after_bos"

    @override
    def packing_incompatibility(self) -> str | None:
        if self.after_bos:
            return "the documents of packed rows share only a prompt in front of them all: position before_bos"
        return None


@dataclass(frozen=True, config=SETTINGS)
class BottleneckConfig(ComponentConfig):
    """Settings of a bottleneck adapter."""

    kind: ClassVar[str] = "adapter"
    location: ClassVar[str] = "in each layer, on what its blocks give"

    type: Literal["seq_bn", "double_seq_bn", "compacter"] = "seq_bn"
    """`seq_bn` is after the feed-forward sublayer (Pfeiffer et al., 2021), `double_seq_bn` also after attention
    (Houlsby et al., 2019), `compacter` is the latter with Kronecker-factored matrices (Mahabadi et al., 2021)."""
    reduction_factor: int = Field(default=16, ge=1)
    """The backbone's hidden size divided by the bottleneck's."""
    leave_out: list[int] = Field(default_factory=list)
    """Layers without an adapter, numbered from 0."""

    @override
    def incompatibility(self, info: BackboneInfo) -> str | None:
        bottleneck = info.hidden_size // self.reduction_factor
        if bottleneck < 1:
            return f"reduction_factor {self.reduction_factor} exceeds the hidden size {info.hidden_size}"
        if self.type == "compacter" and (info.hidden_size % PHM_DIMENSION or bottleneck % PHM_DIMENSION):
            return (
                f"compacter needs widths that are multiples of {PHM_DIMENSION}, but reduction_factor "
                f"{self.reduction_factor} makes {bottleneck} of {info.hidden_size}"
            )
        return layers_out_of_range(self.leave_out, info)


@dataclass(frozen=True, config=SETTINGS)
class InvertibleConfig(ComponentConfig):
    """Settings of an invertible adapter."""

    kind: ClassVar[str] = "invertible"
    location: ClassVar[str] = "on the text's embeddings, undone before the output embeddings"

    reduction_factor: int = Field(default=2, ge=1)
    """Half the embedding size divided by the hidden size of the two coupling networks."""
    place: Literal["words", "embeddings"] = "words"
    """Which embeddings it changes: those of the words alone, or (encoders) what the layers read, with positions added
    and normalised, as the `adapters` library and so AdapterHub's MAD-X adapters have it. Its inverse is always
    applied just before the output embeddings."""

    @override
    def incompatibility(self, info: BackboneInfo) -> str | None:
        if info.embedding_size // 2 < self.reduction_factor:
            return f"reduction_factor {self.reduction_factor} exceeds half the embedding size {info.embedding_size}"
        if self.place == "words":
            return None
        if info.architecture.embeddings is None:
            known = ", ".join(name for name, one in ARCHITECTURES.items() if one.embeddings)
            return f"place embeddings is there for {known}, not for {info.model_type}: use words"
        if info.architecture.projected_embeddings and info.embedding_size != info.hidden_size:
            return (
                f"place embeddings would be {info.hidden_size} wide and the output embeddings, where it is undone, "
                f"{info.embedding_size}: use words"
            )
        return None


@dataclass(frozen=True, config=SETTINGS)
class LoRAConfig(ComponentConfig):
    """Settings of a LoRA."""

    kind: ClassVar[str] = "lora"
    location: ClassVar[str] = "in each layer, beside linear maps"

    rank: int = Field(default=8, ge=1, le=2**13)
    """Rank of each low-rank update."""
    alpha: float = Field(default=16.0, ge=-1e6, le=1e6)
    """The update is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout probability of the inputs of the updates."""
    targets: list[Target] = Field(default_factory=lambda: list(DEFAULT_TARGETS))
    """Linear layers of each transformer layer that are updated."""
    leave_out: list[int] = Field(default_factory=list)
    """Layers without an update, numbered from 0."""

    def __post_init__(self) -> None:
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ValueError("targets must name at least one linear layer, and each once")

    @override
    def incompatibility(self, info: BackboneInfo) -> str | None:
        return layers_out_of_range(self.leave_out, info)


@dataclass(frozen=True, config=SETTINGS)
class PrefixConfig(ComponentConfig):
    """Settings of a prefix."""

    kind: ClassVar[str] = "prefix"
    location: ClassVar[str] = "in each layer, before keys and values"

    length: int = Field(default=30, ge=1, le=10_000)
    """Number of keys and values in each layer; they take none of the backbone's positions."""
    bottleneck_size: int | None = Field(default=512, ge=1, le=2**16)
    """Hidden width of the MLP that reparameterizes the prefix; null trains keys and values directly."""

    @override
    def incompatibility(self, info: BackboneInfo) -> str | None:
        return _plugged_in(self.kind, info)


@dataclass(frozen=True, config=SETTINGS)
class IA3Config(ComponentConfig):
    """Settings of IA3."""

    kind: ClassVar[str] = "ia3"
    location: ClassVar[str] = "in each layer, on keys, values and feed-forward units"

    leave_out: list[int] = Field(default_factory=list)
    """Layers without scaling vectors, numbered from 0."""

    @override
    def incompatibility(self, info: BackboneInfo) -> str | None:
        if info.architecture.fused_qkv:
            return f"ia3 is not possible on {info.name}: several cannot share its one layer of queries, keys and values"
        return _plugged_in(self.kind, info) or layers_out_of_range(self.leave_out, info)


@dataclass(frozen=True, config=SETTINGS)
class FullConfig(ComponentConfig):
    """The backbone's own weights; there are no settings."""

    kind: ClassVar[str] = "full"
    location: ClassVar[str] = "all of the backbone"
    changes_backbone: ClassVar[bool] = True


def _plugged_in(kind: str, info: BackboneInfo) -> str | None:
    """Returns why a method of the library's native models cannot work on a backbone, or None when it can."""
    if info.architecture.plugged_in:
        return f"{kind} is not possible on {info.name}: `adapters` does not support it for {info.model_type}"
    return None
