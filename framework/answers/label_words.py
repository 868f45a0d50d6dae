"""A label by the likelihood of its words under the language model."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

from datamodules import LabelledDataset, LabelWordData, PromptBuilder, Task
from framework.answers.base import AnswerContext
from framework.answers.prompted import PromptedAnswer
from framework.validation import Problem
from modules import BackboneInfo, Combination, Component, OptimizationConfig, tokenizer_of
from modules.training.prompted import LabelWords


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LabelWordsAnswer(PromptedAnswer):
    """Classifies by label words: a verbaliser, as a template and its label words are called too."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    data_class = LabelWordData

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        yield from super().problems(dataset, info, trains)
        tokenizer = tokenizer_of(info)
        prompt_builder = PromptBuilder(self, tokenizer, is_decoder=info.family == "decoder", shown={})
        for key, words in self.called(dataset.labels):
            same: dict[tuple[int, ...], list[str]] = defaultdict(list)
            for label, word in zip(dataset.labels, words, strict=True):
                ids = tuple(prompt_builder.answer_ids(word, ends=False))
                if set(ids) <= {tokenizer.unk_token_id}:
                    encoded = f"which the tokenizer of {info.name} encodes as unknown tokens"
                    yield key, f"{label!r} is called {word!r}, {encoded}"
                else:
                    same[ids].append(f"{label} ({word!r})")
            for labels in same.values():
                if len(labels) > 1:
                    yield key, f"{' and '.join(labels)} are encoded as the same tokens and cannot be told apart"

    @override
    def module(
        self,
        context: AnswerContext,
        combination: Combination,
        components: Sequence[Component],
        training: OptimizationConfig | None,
        seed: int,
    ) -> LabelWords:
        return LabelWords(combination, components, training, labels=context.labels, seed=seed)
