"""Answer types: each joins the data module of a task to its task module.

A new type is a new file with a subclass of `Answer` and a line here, or a class anywhere that a YAML names by its
dotted path.
"""

from datamodules import Task
from framework.answers.base import Answer, AnswerContext
from framework.answers.heads import ClassificationHeadAnswer, SpanHeadAnswer, TaggingHeadAnswer
from framework.answers.prompted import GenerationAnswer, LabelWordsAnswer

__all__ = ["ANSWERS", "Answer", "AnswerContext", "default_answer"]

ANSWERS: dict[str, type[Answer]] = {
    "classification_head": ClassificationHeadAnswer,
    "tagging_head": TaggingHeadAnswer,
    "span_head": SpanHeadAnswer,
    "label_words": LabelWordsAnswer,
    "generation": GenerationAnswer,
}


def default_answer(task: Task) -> Answer:
    """Returns the answer of an experiment that names none: the task's head."""
    return next(answer for answer in ANSWERS.values() if task in answer.tasks)()
