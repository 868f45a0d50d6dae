"""What is fed: streams of tokenised batches of multilingual text.

A notebook needs no YAML:

    tokenizer = AutoTokenizer.from_pretrained("intfloat/multilingual-e5-small")
    config = DatasetConfig("sib200", text_prefix="query: ")
    data = ClassificationData(config, tokenizer, sources=["eng_Latn"], targets=["swh_Latn"])
    batch = next(iter(data.train_dataloader()))
"""

from datamodules.classification import ClassificationData
from datamodules.dataset import ClassificationDataset, Dataset, DatasetConfig, Example
from datamodules.errors import DataError
from datamodules.hub_cache import keeping_what_is_read
from datamodules.languages import LANGUAGES, Language, language
from datamodules.monolingual import MonolingualConfig, MonolingualData, MonolingualText
from datamodules.parallel import ParallelConfig, ParallelData, ParallelText
from datamodules.registry import DATASETS, classification_dataset, dataset, dataset_class, labelled_dataset
from datamodules.tokenization_report import LanguageTokens, tokenization_report

__all__ = [
    "DATASETS",
    "LANGUAGES",
    "ClassificationData",
    "ClassificationDataset",
    "DataError",
    "Dataset",
    "DatasetConfig",
    "Example",
    "Language",
    "LanguageTokens",
    "MonolingualConfig",
    "MonolingualData",
    "MonolingualText",
    "ParallelConfig",
    "ParallelData",
    "ParallelText",
    "classification_dataset",
    "dataset",
    "dataset_class",
    "keeping_what_is_read",
    "labelled_dataset",
    "language",
    "tokenization_report",
]
