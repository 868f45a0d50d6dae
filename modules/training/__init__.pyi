from .alignment import Alignment
from .base import StageModule
from .classification import TextClassification
from .language_modeling import CausalLanguageModeling, LanguageModeling, MaskedLanguageModeling, SpanCorruption
from .prompted import Generation, LabelWords
from .question_answering import QuestionAnswering
from .tagging import Tagging
from .task import TaskModule

__all__ = [
    "Alignment",
    "CausalLanguageModeling",
    "Generation",
    "LabelWords",
    "LanguageModeling",
    "MaskedLanguageModeling",
    "QuestionAnswering",
    "SpanCorruption",
    "StageModule",
    "Tagging",
    "TaskModule",
    "TextClassification",
]
