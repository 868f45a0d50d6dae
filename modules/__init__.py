"""What is trained: a frozen backbone, the components on it, and the ways to train them.

    from modules import BackboneConfig, Combination, load_backbone
    from modules.components import BottleneckConfig, SoftPromptConfig

    combination = Combination(load_backbone(BackboneConfig(name="FacebookAI/xlm-roberta-base")))
    combination.add("language", "prompt", SoftPromptConfig(length=10), language="swh_Latn", seed=0)
    combination.add("task", "adapter", BottleneckConfig(reduction_factor=16), seed=0)
    texts = combination.backbone.tokenizer(["Habari ya dunia"], return_tensors="pt")
    hidden = combination.encode(texts["input_ids"], texts["attention_mask"], ["swh_Latn"])

The stages of training stand in modules of their own, which need Lightning: `modules.classification`,
`modules.tagging`, `modules.question_answering`, `modules.asking`, `modules.alignment` and `modules.language_modeling`.
"""

from modules.architectures import Family
from modules.backbone import (
    Accelerator,
    Backbone,
    BackboneConfig,
    BackboneInfo,
    fetch_backbone,
    inspect_backbone,
    load_backbone,
    refuse_precision,
    resolve_precision,
    save_backbone,
)
from modules.combination import ROLES, Combination
from modules.components import COMPONENTS, Component, component_class
from modules.errors import ModulesError
from modules.heads import ClassificationHead, ClassificationHeadConfig, TaggingHead, TaggingHeadConfig
from modules.optimization import OptimizationConfig, OptimizerConfig
from modules.span_head import SpanHead, SpanHeadConfig
from modules.tokenizer import load_tokenizer, tokenizer_of

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
