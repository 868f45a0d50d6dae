from .datasets.base import (
    ClassificationDataset,
    Dataset,
    DatasetConfig,
    Example,
    LabelledDataset,
    Task,
    TrainOnConfig,
)
from .datasets.questions import Question, QuestionDataset, QuestionsConfig
from .datasets.registry import DATASETS, dataset, dataset_class, labelled_dataset
from .datasets.tagged import TaggedSentence, TaggingDataset
from .errors import DataError, RowError
from .labelled.base import TaskData
from .labelled.classification import ClassificationData
from .labelled.generation import GenerationData
from .labelled.label_words import LabelWordData
from .labelled.prompted import PromptedData
from .labelled.question_answering import QuestionData
from .labelled.tagging import TaggingData
from .labelled.templates import ExamplesConfig, PromptBuilder, TemplateConfig, draw_examples
from .labelled.tokenization_report import LanguageTokens, tokenization_report
from .languages.pretraining_text import PRETRAINING_TEXT
from .languages.table import LANGUAGES, Language, language, nearest_languages
from .languages.typology import DISTANCES, typology
from .sources.hub_cache import downloading_to_cache
from .sources.row import Row
from .unlabelled.base import MonolingualData
from .unlabelled.configs import (
    CausalConfig,
    MaskingConfig,
    PackingConfig,
    ParallelConfig,
    PrefixLMConfig,
    SpanCorruptionConfig,
    TextConfig,
)
from .unlabelled.pairs import ParallelText
from .unlabelled.parallel import ParallelData
from .unlabelled.seen_tokens import seen_tokens
from .unlabelled.text import MonolingualText

__all__ = [
    "DATASETS", "DISTANCES", "LANGUAGES", "PRETRAINING_TEXT", "CausalConfig", "ClassificationData",
    "ClassificationDataset", "DataError", "Dataset", "DatasetConfig", "Example", "ExamplesConfig", "GenerationData",
    "LabelWordData", "LabelledDataset", "Language", "LanguageTokens", "MaskingConfig", "MonolingualData",
    "MonolingualText", "PackingConfig", "ParallelConfig", "ParallelData", "ParallelText", "PrefixLMConfig",
    "PromptBuilder", "PromptedData", "Question", "QuestionData", "QuestionDataset", "QuestionsConfig", "Row",
    "RowError", "SpanCorruptionConfig", "TaggedSentence", "TaggingData", "TaggingDataset", "Task", "TaskData",
    "TemplateConfig", "TextConfig", "TrainOnConfig", "dataset", "dataset_class", "draw_examples",
    "downloading_to_cache", "labelled_dataset", "language", "nearest_languages", "seen_tokens", "tokenization_report",
    "typology",
]
