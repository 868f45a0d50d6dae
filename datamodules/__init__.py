"""Datasets and data modules: tokenised batches of multilingual text.

A notebook needs no YAML:

    tokenizer = AutoTokenizer.from_pretrained("intfloat/multilingual-e5-small")
    config = DatasetConfig("sib200", text_prefix="query: ")
    data = ClassificationData(config, tokenizer, sources=["eng_Latn"], targets=["swh_Latn"])
    batch = next(iter(data.train_dataloader()))
"""

import lazy_loader

# The names of __init__.pyi, each imported when it is first used: most commands need few of them, and no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
