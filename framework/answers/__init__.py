"""How a model answers what is asked of a text: each way joins the feeding of a task to what answers, in one small file.

A new way is a new file with a class like these and a line here.
"""

from datamodules import Task
from framework.answers.base import Answer
from framework.answers.generation import GenerationAnswer
from framework.answers.heads import ClassificationHeadAnswer, SpanHeadAnswer, TaggingHeadAnswer
from framework.answers.label_words import LabelWordsAnswer

__all__ = ["ANSWERS", "Answer", "default_answer"]

ANSWERS: dict[str, type[Answer]] = {
    "classification_head": ClassificationHeadAnswer,
    "tagging_head": TaggingHeadAnswer,
    "span_head": SpanHeadAnswer,
    "label_words": LabelWordsAnswer,
    "generation": GenerationAnswer,
}


def default_answer(task: Task) -> Answer:
    """Returns the way to answer where an experiment names none: the task's head."""
    return next(answer for answer in ANSWERS.values() if task in answer.tasks)()
