from .base import Component
from .bottleneck import Bottleneck
from .config import ROLES, ComponentConfig
from .configs import (
    BottleneckConfig,
    FullConfig,
    IA3Config,
    InvertibleConfig,
    LoRAConfig,
    PrefixConfig,
    SoftPromptConfig,
)
from .full import Full
from .ia3 import IA3
from .invertible import Invertible
from .lora import LoRA
from .prefix import Prefix
from .registry import CONFIGS, component_class, component_config, trained_parameters
from .soft_prompt import SoftPrompt

__all__ = [
    "CONFIGS",
    "IA3",
    "ROLES",
    "Bottleneck",
    "BottleneckConfig",
    "Component",
    "ComponentConfig",
    "Full",
    "FullConfig",
    "IA3Config",
    "Invertible",
    "InvertibleConfig",
    "LoRA",
    "LoRAConfig",
    "Prefix",
    "PrefixConfig",
    "SoftPrompt",
    "SoftPromptConfig",
    "component_class",
    "component_config",
    "trained_parameters",
]
