"""What the datasets of extractive question answering share: which words of a context answer a question?"""

import dataclasses
import json
from collections.abc import Sequence
from typing import ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules.datasets.base import TEST, DatasetConfig, Example, LabelledDataset
from datamodules.errors import shown
from datamodules.sources.row import Row

SPECIAL_TOKENS = 4
"""The most that tokenizers put around and between two texts."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class QuestionsConfig(DatasetConfig):
    """A question-answering dataset, and how long contexts are split into windows."""

    max_length: int = Field(default=384, ge=4, le=2**17)
    """Longest window in tokens, with the question, special tokens and prefix."""
    stride: int | None = Field(default=None, ge=1)
    """Tokens that a window of a long context shares with the one before it; without it 128, or less for short windows:
    a third of them."""

    def __post_init__(self) -> None:
        """Checks that a window has at least as many new tokens as shared ones, for any length of question."""
        super().__post_init__()
        for length in (self.max_length, self.train_max_length or self.max_length):
            if self.stride is not None and 2 * self.stride + SPECIAL_TOKENS >= length:
                raise ValueError(
                    f"stride must be less than half of the {length} tokens of a window, not {self.stride}: beside what "
                    "it shares, a window needs room for as much new text and for the question"
                )

    def stride_of(self, length: int) -> int:
        """Returns the tokens that windows of a length share."""
        return self.stride or min(128, length // 3)


@dataclasses.dataclass(frozen=True, slots=True)
class Question(Example):
    """A question, `text`, about a context, `second_text`."""

    answers: tuple[str, ...] = ()
    """Everything that is right, as published; none where nobody knows it."""
    starts: tuple[int, ...] = ()
    """For each answer where it begins in the context, in characters, as published."""

    @property
    def context(self) -> str:
        """What holds the answer."""
        return self.second_text or ""

    @property
    def answer_place(self) -> tuple[int, int] | None:
        """The start and end of the first answer in the context, in characters; None if there is none, or not in it.

        Published offsets may have been counted in another text, or in bytes: an answer that is not at its offset is
        searched for, and the occurrence nearest to the offset is taken.
        """
        if not self.answers or not self.answers[0].strip():
            return None
        answer, start = self.answers[0], max(self.starts[0], 0)
        if not self.context.startswith(answer, start):
            places = [n for n in range(len(self.context)) if self.context.startswith(answer, n)]
            if not places:
                return None
            start = min(places, key=lambda place: abs(place - start))
        return start, start + len(answer)


class QuestionDataset(LabelledDataset):
    """Questions about contexts that hold the answers, in the columns of SQuAD."""

    Config: ClassVar[type[DatasetConfig]] = QuestionsConfig
    task = "question answering"
    pairs = True
    text_names = ("question", "context")
    without_gold = (
        "the question has no answer; questions without one, as in SQuAD 2.0, are not supported, for every answer is a "
        "part of the context: `data.bad_rows: skip` leaves them out"
    )
    columns = ("id", "context", "question", "answers")

    def gold(self, example: Example) -> str:
        """The right answers, as published, as a JSON list."""
        assert isinstance(example, Question)
        return json.dumps(example.answers, ensure_ascii=False)

    @override
    def has_gold(self, example: Example) -> bool:
        return isinstance(example, Question) and any(answer.strip() for answer in example.answers)

    def answer(self, example: Example, words: Sequence[str]) -> str:
        """The first of the right answers."""
        assert isinstance(example, Question)
        return example.answers[0]

    def read_answer(self, written: str, text: str, words: Sequence[str]) -> str | None:
        """The written text without spaces at its ends; None if it is empty."""
        return written.strip() or None

    def group_of(self, example: Example) -> str:
        """The context: of its questions, none is trained on where another validates. Translations are not known."""
        return (example.second_text or "").strip()

    @override
    def to_example(self, row: Row, row_id: str, language: str) -> Question:
        answers = _answers_of(row)
        return Question(
            row.name("id"),
            row.text("question"),
            language,
            second_text=row.text("context"),
            answers=tuple(text for text, _ in answers),
            starts=tuple(start for _, start in answers),
        )

    @override
    def check_example(self, example: Example, row: Row, split: str) -> None:
        """A question needs an answer, and outside of the test split one in its context."""
        super().check_example(example, row, split)
        if split != TEST and isinstance(example, Question) and example.answer_place is None:
            answer, start = example.answers[0], example.starts[0]
            there = example.context[max(start, 0) :][: len(answer)]
            raise row.error(
                f"the answer {shown(answer)} is not in the context; at its offset {start} stands {shown(there)}"
            )


def _answers_of(row: Row) -> list[tuple[str, int]]:
    """Returns the answers of a row, each with its offset in the context.

    They are a mapping of two lists, as on the hub, or a list of mappings, as in SQuAD's own JSON; null is none.

    Raises:
        RowError: They are something else.
    """
    match row["answers"]:
        case None:
            return []
        case {"text": list(texts), "answer_start": list(starts)} if len(texts) == len(starts):
            pairs = list(zip(texts, starts, strict=True))
        case list(answers) if all(isinstance(answer, dict) for answer in answers):
            pairs = [(answer.get("text"), answer.get("answer_start")) for answer in answers]
        case other:
            raise row.error(f"holds {shown(other)}; answers look like {_ANSWERS}", "answers")
    for text, start in pairs:
        if not isinstance(text, str) or type(start) is not int:
            what = f"the answer {shown(text)} at the offset {shown(start)}"
            raise row.error(f"holds {what}; answers look like {_ANSWERS}", "answers")
    return pairs


_ANSWERS = '{"text": ["Qunu"], "answer_start": [17]} or [{"text": "Qunu", "answer_start": 17}]'
"""The two layouts in a message."""
