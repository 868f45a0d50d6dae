"""Batches for generation: a prompt and the tokens of its answer."""

import dataclasses
from collections.abc import Sequence

from typing_extensions import override

from datamodules.batches import Batch
from datamodules.datasets.base import Example
from datamodules.labelled.base import TaskRow
from datamodules.labelled.prompted import PromptedData


@dataclasses.dataclass(frozen=True, slots=True)
class _Row(TaskRow):
    prompt_language: str
    answer: list[int]


class GenerationData(PromptedData):
    """Questions with written answers.

    Batches: `input_ids` and `attention_mask` [B, T] long, `answers` for each row the token ids of the right answer, its
    end included (left out where an example has none), `text` the (first) texts as they are, `prompt_language` the
    languages of their prompts, `language` and `id`; the last four are lists of B strings.

    >>> from transformers import AutoTokenizer
    >>> from datamodules import DatasetConfig, ExamplesConfig, GenerationData, TemplateConfig, dataset
    >>> tokenizer = AutoTokenizer.from_pretrained("experiments/quickstart/backbone")
    >>> tokenizer.eos_token = "[SEP]"
    >>> template = TemplateConfig("{text} nape", words={"sports": "tole"}, examples=ExamplesConfig(count=1))
    >>> prompts = {"template": template, "labels": dataset("synthetic").labels, "is_decoder": True}
    >>> data = GenerationData(DatasetConfig("synthetic"), tokenizer, **prompts, sources=["qaa_Latn"], batch_size=2)
    >>> batch = next(iter(data.train_dataloader()))
    >>> batch["input_ids"].shape, batch["text"][0], tokenizer.decode(batch["answers"][0])
    (torch.Size([2, 21]), 'ba toloki dupo se nagi', 'to ##le [SEP]')
    """

    @override
    def rows(self, examples: Sequence[Example], max_length: int, prompt_language: str | None = None) -> list[_Row]:
        prompt_builder = self.prompt_builder(dict.fromkeys(prompt_language or example.language for example in examples))
        prefix = self.config.text_prefix
        rows = []
        for example in examples:
            asked_in = prompt_language or example.language
            ids = prompt_builder.ids(example, asked_in, max_length, prefix)
            known = self.dataset.has_gold(example)
            answer = prompt_builder.answer_ids(self.answer(example, asked_in), ends=True) if known else []
            rows.append(_Row(example, ids, asked_in, answer))
        return rows

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[_Row]) -> None:
        if all(row.answer for row in rows):
            batch["answers"] = [row.answer for row in rows]
        batch["text"] = [row.example.text for row in rows]
        batch["prompt_language"] = [row.prompt_language for row in rows]
