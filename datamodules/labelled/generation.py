"""Batches for generation: a prompt and the tokens of its answer."""

from collections.abc import Sequence

from typing_extensions import override

from datamodules.batching.loaders import Batch
from datamodules.datasets.base import Example
from datamodules.labelled.prompted import PromptedData, PromptRow
from datamodules.labelled.templates import PromptBuilder


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
    def answer_tokens(
        self, builder: PromptBuilder, examples: Sequence[Example], languages: Sequence[str]
    ) -> list[list[int]]:
        return [
            builder.answer_ids(self.answer(example, language), ends=True) if self.dataset.has_gold(example) else []
            for example, language in zip(examples, languages, strict=True)
        ]

    @staticmethod
    @override
    def add_columns(batch: Batch, rows: Sequence[PromptRow]) -> None:
        if all(row.answers for row in rows):
            batch["answers"] = [row.answers for row in rows]
        batch["text"] = [row.example.text for row in rows]
        batch["prompt_language"] = [row.prompt_language for row in rows]
