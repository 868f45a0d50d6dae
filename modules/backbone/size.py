"""The number of a backbone's weights."""

from modules.backbone.info import BackboneInfo
from modules.disk_cache import cached


def count_parameters(info: BackboneInfo, with_lm_head: bool = False) -> int:
    """Returns the number of a backbone's weights, without those of a language model head unless it is asked for."""

    def find() -> int:
        from modules.backbone.backbone import skeleton

        return sum(parameter.numel() for parameter in skeleton(info, with_lm_head).own_parameters().values())

    return cached(int, find, parameters=info.weights_hash, with_lm_head=with_lm_head)
