"""What is trained: a frozen backbone, the components on it, and the ways to train them.

    from modules import BackboneConfig, Combination, load_backbone
    from modules.components import BottleneckConfig, SoftPromptConfig

    combination = Combination(load_backbone(BackboneConfig(name="FacebookAI/xlm-roberta-base")))
    combination.add("language", "prompt", SoftPromptConfig(length=10), language="swh_Latn", seed=0)
    combination.add("task", "adapter", BottleneckConfig(reduction_factor=16), seed=0)
    texts = combination.backbone.tokenizer(["Habari ya dunia"], return_tensors="pt")
    hidden = combination.encode(texts["input_ids"], texts["attention_mask"], ["swh_Latn"])

The stages of training are in `modules.training`, which needs Lightning: `classification`, `tagging`,
`question_answering`, `prompted`, `alignment` and `language_modeling`.
"""

from modules.backbone.architectures import Family
from modules.backbone.backbone import (
    Backbone,
    fetch_backbone,
    inspect_backbone,
    load_backbone,
    refuse_precision,
    resolve_precision,
    save_backbone,
)
from modules.backbone.info import Accelerator, BackboneConfig, BackboneInfo
from modules.backbone.tokenizer import load_tokenizer, tokenizer_of
from modules.combination.combination import ROLES, Combination
from modules.components import COMPONENTS, Component, component_class
from modules.errors import ModulesError
from modules.training.heads import ClassificationHead, ClassificationHeadConfig, TaggingHead, TaggingHeadConfig
from modules.training.optimization import OptimizationConfig, OptimizerConfig
from modules.training.span_head import SpanHead, SpanHeadConfig

__all__ = [
    "COMPONENTS",
    "ROLES",
    "Accelerator",
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
    "refuse_precision",
    "resolve_precision",
    "save_backbone",
    "tokenizer_of",
]
