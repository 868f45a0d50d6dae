"""What is fed: streams of tokenised batches of multilingual text.

A notebook needs no YAML:

    tokenizer = AutoTokenizer.from_pretrained("intfloat/multilingual-e5-small")
    config = DatasetConfig("sib200", text_prefix="query: ")
    data = ClassificationData(config, tokenizer, sources=["eng_Latn"], targets=["swh_Latn"])
    batch = next(iter(data.train_dataloader()))
"""

from datamodules.asking import AskingData
from datamodules.causal import CausalConfig
from datamodules.classification import ClassificationData
from datamodules.dataset import (
    ClassificationDataset,
    Dataset,
    DatasetConfig,
    Example,
    LabelledDataset,
    Task,
    TrainOnConfig,
)
from datamodules.errors import DataError, RowError
from datamodules.generation import GenerationData
from datamodules.hub_cache import keeping_what_is_read
from datamodules.label_words import LabelWordData
from datamodules.languages import LANGUAGES, Language, language, nearest_languages
from datamodules.masking import MaskingConfig
from datamodules.monolingual import MonolingualData, MonolingualText, TextConfig
from datamodules.packing import PackingConfig
from datamodules.parallel import ParallelConfig, ParallelData, ParallelText
from datamodules.prefix_lm import PrefixLMConfig
from datamodules.pretraining_text import PRETRAINING_TEXT
from datamodules.question_answering import QuestionData
from datamodules.questions import Question, QuestionDataset, QuestionsConfig
from datamodules.registry import DATASETS, dataset, dataset_class, labelled_dataset
from datamodules.row import Row
from datamodules.span_corruption import SpanCorruptionConfig
from datamodules.tagged import TaggedSentence, TaggingDataset
from datamodules.tagging import TaggingData
from datamodules.task_data import TaskData
from datamodules.templates import Asker, ExamplesConfig, TemplateConfig, draw_examples
from datamodules.tokenization_report import LanguageTokens, tokenization_report
from datamodules.typology import DISTANCES, typology
from datamodules.vocabulary import seen_tokens

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
