"""What is fed: streams of tokenised batches of multilingual text.

A notebook needs no YAML:

    tokenizer = AutoTokenizer.from_pretrained("intfloat/multilingual-e5-small")
    config = DatasetConfig("sib200", text_prefix="query: ")
    data = ClassificationData(config, tokenizer, sources=["eng_Latn"], targets=["swh_Latn"])
    batch = next(iter(data.train_dataloader()))
"""

from datamodules.causal import CausalConfig
from datamodules.classification import ClassificationData
from datamodules.dataset import ClassificationDataset, Dataset, DatasetConfig, Example, LabelledDataset, Task
from datamodules.errors import DataError
from datamodules.hub_cache import keeping_what_is_read
from datamodules.languages import LANGUAGES, Language, language
from datamodules.masking import MaskingConfig
from datamodules.monolingual import MonolingualData, MonolingualText, TextConfig
from datamodules.packing import PackingConfig
from datamodules.parallel import ParallelConfig, ParallelData, ParallelText
from datamodules.prefix_lm import PrefixLMConfig
from datamodules.registry import DATASETS, dataset, dataset_class, labelled_dataset
from datamodules.span_corruption import SpanCorruptionConfig
from datamodules.task_data import TaskData
from datamodules.tokenization_report import LanguageTokens, tokenization_report
from datamodules.vocabulary import seen_tokens

__all__ = [
    "DATASETS",
    "LANGUAGES",
    "CausalConfig",
    "ClassificationData",
    "ClassificationDataset",
    "DataError",
    "Dataset",
    "DatasetConfig",
    "Example",
    "LabelledDataset",
    "Language",
    "LanguageTokens",
    "MaskingConfig",
    "MonolingualData",
    "MonolingualText",
    "PackingConfig",
    "ParallelConfig",
    "ParallelData",
    "ParallelText",
    "PrefixLMConfig",
    "SpanCorruptionConfig",
    "Task",
    "TaskData",
    "TextConfig",
    "dataset",
    "dataset_class",
    "keeping_what_is_read",
    "labelled_dataset",
    "language",
    "seen_tokens",
    "tokenization_report",
]
