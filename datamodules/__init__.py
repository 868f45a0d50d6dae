"""What is fed: streams of tokenised batches of multilingual text.

A notebook needs no YAML:

    tokenizer = AutoTokenizer.from_pretrained("intfloat/multilingual-e5-small")
    config = DatasetConfig("sib200", text_prefix="query: ")
    data = ClassificationData(config, tokenizer, sources=["eng_Latn"], targets=["swh_Latn"])
    batch = next(iter(data.train_dataloader()))
"""

from datamodules.datasets.base import (
    ClassificationDataset,
    Dataset,
    DatasetConfig,
    Example,
    LabelledDataset,
    Task,
    TrainOnConfig,
)
from datamodules.datasets.questions import Question, QuestionDataset, QuestionsConfig
from datamodules.datasets.registry import DATASETS, dataset, dataset_class, labelled_dataset
from datamodules.datasets.tagged import TaggedSentence, TaggingDataset
from datamodules.errors import DataError, RowError
from datamodules.labelled.base import TaskData
from datamodules.labelled.classification import ClassificationData
from datamodules.labelled.generation import GenerationData
from datamodules.labelled.label_words import LabelWordData
from datamodules.labelled.prompted import AskingData
from datamodules.labelled.question_answering import QuestionData
from datamodules.labelled.tagging import TaggingData
from datamodules.labelled.templates import Asker, ExamplesConfig, TemplateConfig, draw_examples
from datamodules.labelled.tokenization_report import LanguageTokens, tokenization_report
from datamodules.languages.pretraining_text import PRETRAINING_TEXT
from datamodules.languages.table import LANGUAGES, Language, language, nearest_languages
from datamodules.languages.typology import DISTANCES, typology
from datamodules.sources.hub_cache import keeping_what_is_read
from datamodules.sources.row import Row
from datamodules.unlabelled.base import MonolingualData, MonolingualText, TextConfig
from datamodules.unlabelled.causal import CausalConfig
from datamodules.unlabelled.masking import MaskingConfig
from datamodules.unlabelled.packing import PackingConfig
from datamodules.unlabelled.parallel import ParallelConfig, ParallelData, ParallelText
from datamodules.unlabelled.prefix_lm import PrefixLMConfig
from datamodules.unlabelled.seen_tokens import seen_tokens
from datamodules.unlabelled.span_corruption import SpanCorruptionConfig

__all__ = [
    "DATASETS",
    "DISTANCES",
    "LANGUAGES",
    "PRETRAINING_TEXT",
    "Asker",
    "AskingData",
    "CausalConfig",
    "ClassificationData",
    "ClassificationDataset",
    "DataError",
    "Dataset",
    "DatasetConfig",
    "Example",
    "ExamplesConfig",
    "GenerationData",
    "LabelWordData",
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
    "Question",
    "QuestionData",
    "QuestionDataset",
    "QuestionsConfig",
    "Row",
    "RowError",
    "SpanCorruptionConfig",
    "TaggedSentence",
    "TaggingData",
    "TaggingDataset",
    "Task",
    "TaskData",
    "TemplateConfig",
    "TextConfig",
    "TrainOnConfig",
    "dataset",
    "dataset_class",
    "draw_examples",
    "keeping_what_is_read",
    "labelled_dataset",
    "language",
    "nearest_languages",
    "seen_tokens",
    "tokenization_report",
    "typology",
]
