"""Bottleneck adapters behind the sublayers of each transformer layer."""

from typing import Any, Literal

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from modules.backbone.info import BackboneInfo
from modules.components.base import layers_out_of_range
from modules.components.in_library import LibraryComponent

PHM_DIMENSION = 4
"""Compacter's matrices are sums of this many Kronecker products, so that widths must be multiples of it."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class BottleneckConfig:
    """Settings of a bottleneck adapter."""

    type: Literal["seq_bn", "double_seq_bn", "compacter"] = "seq_bn"
    """`seq_bn` is after the feed-forward sublayer (Pfeiffer et al., 2021), `double_seq_bn` also after attention
    (Houlsby et al., 2019), `compacter` is the latter with Kronecker-factored matrices (Mahabadi et al., 2021)."""
    reduction_factor: int = pydantic.Field(default=16, ge=1)
    """The backbone's hidden size divided by the bottleneck's."""
    leave_out: list[int] = pydantic.Field(default_factory=list)
    """Layers without an adapter, numbered from 0."""


class Bottleneck(LibraryComponent):
    """A bottleneck adapter; a task's is applied to the output of a language's, as in MAD-X (Pfeiffer et al., 2020)."""

    kind = "adapter"
    place = "in each layer, on what its blocks give"
    Config = BottleneckConfig

    @classmethod
    def incompatibility(cls, config: BottleneckConfig, info: BackboneInfo) -> str | None:
        """Returns why it cannot work on a backbone, or None when it can."""
        bottleneck = info.hidden_size // config.reduction_factor
        if bottleneck < 1:
            return f"reduction_factor {config.reduction_factor} exceeds the hidden size {info.hidden_size}"
        if config.type == "compacter" and (info.hidden_size % PHM_DIMENSION or bottleneck % PHM_DIMENSION):
            return (
                f"compacter needs widths that are multiples of {PHM_DIMENSION}, but reduction_factor "
                f"{config.reduction_factor} makes {bottleneck} of {info.hidden_size}"
            )
        return layers_out_of_range(config.leave_out, info)

    @classmethod
    def library_config(cls, config: BottleneckConfig) -> Any:
        """Returns the library's configuration object."""
        from adapters import CompacterConfig, DoubleSeqBnConfig, SeqBnConfig

        types = {"seq_bn": SeqBnConfig, "double_seq_bn": DoubleSeqBnConfig, "compacter": CompacterConfig}
        return types[config.type](reduction_factor=config.reduction_factor, leave_out=list(config.leave_out))
