"""A label by the likelihood of its words under the language model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from typing_extensions import override

import datamodules
from datamodules import LabelledDataset, Task
from framework.answers.base import AnswerContext
from framework.answers.prompted import PromptedAnswer
from framework.validation import Problem
from modules import BackboneInfo, OptimizationConfig, of_tokenizer, tokenizer_of, training

if TYPE_CHECKING:
    from datamodules import LabelWordData
    from modules import Combination, Component
    from modules.training import LabelWords


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LabelWordsAnswer(PromptedAnswer):
    """Classifies by the likelihood of label words under a template (a verbalizer)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    @property
    @override
    def data_class(self) -> type[LabelWordData]:
        return datamodules.LabelWordData

    @override
    def problems(self, dataset: LabelledDataset, info: BackboneInfo, trains: bool) -> Iterator[Problem]:
        yield from super().problems(dataset, info, trains)
        unknown = of_tokenizer(list[int | None], lambda: [tokenizer_of(info).unk_token_id], info, "unknown token")
        for key, words in self.called(dataset.labels):
            same: dict[tuple[int, ...], list[str]] = defaultdict(list)
            for label, word in zip(dataset.labels, words, strict=True):
                ids = tuple(self.answer_tokens(word, info))
                if set(ids) <= set(unknown):
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
        settings: OptimizationConfig | None,
        seed: int,
    ) -> LabelWords:
        return training.LabelWords(combination, components, settings, labels=context.labels, seed=seed)
