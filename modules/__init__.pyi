from .backbone.architectures import Family
from .backbone.backbone import (
    Backbone,
    fetch_backbone,
    inspect_backbone,
    load_backbone,
    precision_incompatibility,
    resolve_precision,
    save_backbone,
)
from .backbone.info import Accelerator, BackboneConfig, BackboneInfo
from .backbone.tokenizer import load_tokenizer, tokenizer_of
from .combination.combination import ROLES, Combination
from .components import COMPONENTS, Component, component_class
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
    "COMPONENTS",
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
    "Family",
    "ModulesError",
    "OptimizationConfig",
    "OptimizerConfig",
    "SpanHead",
    "SpanHeadConfig",
    "TaggingHead",
    "TaggingHeadConfig",
    "component_class",
    "fetch_backbone",
    "inspect_backbone",
    "load_backbone",
    "load_tokenizer",
    "precision_incompatibility",
    "resolve_precision",
    "save_backbone",
    "tokenizer_of",
]
