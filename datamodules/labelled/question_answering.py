"""Batches for training and testing extractive question answering."""

import dataclasses
from collections.abc import Sequence

import torch
from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.datasets.base import Example
from datamodules.datasets.questions import Question, QuestionsConfig
from datamodules.errors import DataError
from datamodules.labelled.base import TaskData, TaskRow, add_token_types
from datamodules.labelled.windows import Window, context_windows


@dataclasses.dataclass(frozen=True, slots=True)
class _Row(TaskRow):
    window: Window
    start: int
    end: int


class QuestionData(TaskData):
    """Questions with their contexts; a long context gives several rows, windows that overlap.

    Batches: `input_ids` and `attention_mask` [B, T] long, `token_type_ids` as in `ClassificationData`; `language`, `id`
    and `context` lists of B strings; and

    - `in_context` [B, T] bool: the context's tokens, one of which an answer begins and ends with;
    - `offsets` [B, T, 2] long: where in `context` each of them begins and ends, in characters, and 0 elsewhere;
    - `nowhere` [B] long: the place that stands for an answer that is not in the window;
    - `start` and `end` [B] long: places of the answer's first and last token, or `nowhere` where the window does not
      hold all of it, or nobody knows it. Of several answers it is the first.

    Windows without the answer are trained on too, so that what is found in them in a test is not taken for it. The
    special token before the context stands for that, and not the customary first one, which decoders have before they
    have read anything, and T5 not at all.

    >>> from transformers import AutoTokenizer
    >>> from tokenizers.processors import BertProcessing
    >>> from datamodules import Question, QuestionData, QuestionsConfig
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> tokenizer.backend_tokenizer.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))  # for pairs of texts
    >>> data = QuestionData(QuestionsConfig("xquad"), tokenizer)  # reads nothing before a split is asked for
    >>> context = "he was born in Mvezo"
    >>> question = Question("1", "where ?", "eng_Latn", second_text=context, answers=("Mvezo",), starts=(15,))
    >>> batch = next(iter(data.examples_dataloader([question])))
    >>> batch["start"], batch["offsets"][0, batch["start"]]
    (tensor([8]), tensor([[15, 20]]))
    """

    @override
    def rows(self, examples: Sequence[Example], max_length: int) -> list[_Row]:
        if not isinstance(self.config, QuestionsConfig):
            raise DataError(f"the questions of {self.dataset.name} need a QuestionsConfig, which has a stride")
        stride = self.config.stride_of(max_length)
        places = [example.answer_place if isinstance(example, Question) else None for example in examples]
        pairs = [(example.text, example.second_text or "") for example in examples]
        windows = context_windows(self.tokenizer, pairs, max_length, stride, self.config.text_prefix)
        return [
            _Row(examples[window.pair], window.ids, window, *window.tokens_of(places[window.pair]))
            for window in windows
        ]

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[_Row]) -> None:
        windows = [row.window for row in rows]
        add_token_types(batch, [window.types for window in windows])
        batch["in_context"] = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
        batch["offsets"] = torch.zeros(*batch["input_ids"].shape, 2, dtype=torch.long)
        for place, window in enumerate(windows):
            context = slice(window.first, window.first + len(window.offsets))
            batch["in_context"][place, context] = True
            batch["offsets"][place, context] = torch.from_numpy(window.offsets).long()
        batch["nowhere"] = torch.tensor([window.nowhere for window in windows])
        batch["start"] = torch.tensor([row.start for row in rows])
        batch["end"] = torch.tensor([row.end for row in rows])
        batch["context"] = [row.example.second_text or "" for row in rows]
