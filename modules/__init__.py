"""What is trained: a frozen backbone, the components on it, and the ways to train them.

The stages of training stand in modules of their own, which need Lightning: `modules.classification`,
`modules.alignment` and `modules.masked`.
"""

from modules.backbone import (
    Backbone,
    BackboneConfig,
    BackboneInfo,
    inspect_backbone,
    load_backbone,
    load_tokenizer,
    save_backbone,
)
from modules.combination import ROLES, Combination
from modules.components import COMPONENTS, Component, component_class
from modules.errors import ModulesError
from modules.heads import ClassificationHead, ClassificationHeadConfig
from modules.optimization import OptimizationConfig, OptimizerConfig

__all__ = [
    "COMPONENTS",
    "ROLES",
    "Backbone",
    "BackboneConfig",
    "BackboneInfo",
    "ClassificationHead",
    "ClassificationHeadConfig",
    "Combination",
    "Component",
    "ModulesError",
    "OptimizationConfig",
    "OptimizerConfig",
    "component_class",
    "inspect_backbone",
    "load_backbone",
    "load_tokenizer",
    "save_backbone",
]
