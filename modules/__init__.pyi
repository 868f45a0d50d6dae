from .backbone.architectures import Family
from .backbone.backbone import (
    Backbone,
    fetch_backbone,
    load_backbone,
    save_backbone,
)
from .backbone.devices import gpu_count, resolve_precision
from .backbone.info import Accelerator, BackboneConfig, BackboneInfo
from .backbone.inspection import inspect_backbone, of_tokenizer, special_tokens, text_tokens
from .backbone.size import count_parameters
from .backbone.tokenizer import load_tokenizer, tokenizer_of
from .combination.combination import Combination
from .components.base import Component
from .components.config import ROLES, ComponentConfig
from .components.registry import CONFIGS, component_class, component_config, trained_parameters
from .errors import ModulesError
from .training.configs import (
    AlignmentConfig,
    ClassificationHeadConfig,
    OptimizationConfig,
    OptimizerConfig,
    SpanHeadConfig,
    TaggingHeadConfig,
)
from .training.heads import ClassificationHead, TaggingHead
from .training.span_head import SpanHead

__all__ = [
    "CONFIGS",
    "ROLES",
    "Accelerator",
    "AlignmentConfig",
    "Backbone",
    "BackboneConfig",
    "BackboneInfo",
    "ClassificationHead",
    "ClassificationHeadConfig",
    "Combination",
    "Component",
    "ComponentConfig",
    "Family",
    "ModulesError",
    "OptimizationConfig",
    "OptimizerConfig",
    "SpanHead",
    "SpanHeadConfig",
    "TaggingHead",
    "TaggingHeadConfig",
    "component_class",
    "component_config",
    "count_parameters",
    "fetch_backbone",
    "gpu_count",
    "inspect_backbone",
    "load_backbone",
    "load_tokenizer",
    "of_tokenizer",
    "resolve_precision",
    "save_backbone",
    "special_tokens",
    "text_tokens",
    "tokenizer_of",
    "trained_parameters",
]
