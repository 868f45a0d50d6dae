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

import lazy_loader

# The names of __init__.pyi, each imported when it is first used: most commands need few of them, and no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
