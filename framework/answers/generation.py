"""An answer that the language model writes."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from transformers import PreTrainedTokenizerBase

from datamodules import DatasetConfig, GenerationData, Task, labelled_dataset
from framework.answers.in_words import InWords
from modules import BackboneInfo, Combination, Component, OptimizationConfig
from modules.asking import Generation


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class GenerationAnswer(InWords):
    """Writes the answer; one of which nothing can be made is wrong, and its like are counted."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "tagging", "question answering")

    max_new_tokens: int = Field(default=30, ge=1)
    """Longest answer in tokens."""
    beams: int = Field(default=1, ge=1)
    """Beams of the search for the likeliest answer; 1 takes the likeliest token each time."""

    def data(
        self,
        config: DatasetConfig,
        tokenizer: PreTrainedTokenizerBase,
        labels: Sequence[str],
        info: BackboneInfo,
        **feeding: Any,
    ) -> GenerationData:
        """See `Answer`."""
        return GenerationData(config, tokenizer, self, labels=labels, is_decoder=info.family == "decoder", **feeding)

    def module(
        self,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        labels: Sequence[str],
        data: DatasetConfig,
        seed: int,
    ) -> Generation:
        """See `Answer`."""
        dataset = labelled_dataset(data)

        def read(written: str, text: str, language: str) -> str | None:
            return dataset.read_answer(written, text, self.words_for(labels, language))

        return Generation(
            combination,
            components,
            training,
            read=read,
            max_new_tokens=self.max_new_tokens,
            beams=self.beams,
            seed=seed,
        )
