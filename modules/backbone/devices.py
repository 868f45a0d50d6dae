"""What this machine computes with. torch, which takes seconds to import, is asked only where it alone can tell."""

import dataclasses
import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.backbone.info import Accelerator, BackboneConfig
from modules.disk_cache import cached

GPU_FILES = ("nvidia*", "nvhost*", "kfd", "dxg")
"""Files under /dev by which programs reach GPUs on Linux: NVIDIA's, those of its small boards, AMD's, those of WSL."""


def gpu_count() -> int:
    """Returns the number of GPUs that torch can use."""
    if sys.platform == "linux" and not any(any(Path("/dev").glob(name)) for name in GPU_FILES):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def resolve_precision(config: BackboneConfig, accelerator: Accelerator = "auto") -> BackboneConfig:
    """Replaces the precision `auto` by the one that suits the accelerator, `bf16` or `32`; keeps any other.

    The accelerator `auto` is a GPU where there is one.
    """
    if config.precision != "auto":
        return config
    return dataclasses.replace(config, precision="bf16" if _is_fast_at_bf16(accelerator) else "32")


def _is_fast_at_bf16(accelerator: Accelerator) -> bool:
    if accelerator != "cpu" and gpu_count():
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return cached(bool, _is_processor_fast_at_bf16, processor=_processor())


def _is_processor_fast_at_bf16() -> bool:
    import torch

    # Older versions of torch cannot tell; they get float32.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


@functools.cache  # each cell of a grid asks, and on a machine of many cores the file is long
def _processor() -> list[str]:
    """Returns what Linux says of the processors' models and instructions; the same on all machines that are alike."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
