"""Prompt templates, with few-shot demonstrations before the text where they are configured."""

import dataclasses
import itertools
import string
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from datamodules.datasets.base import Example, LabelledDataset
from datamodules.datasets.k_shot import draw
from datamodules.errors import DataError, nearest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLACES = ("text", "second_text")
"""What a template has places for."""

BETWEEN_EXAMPLES = "\n\n"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ExamplesConfig:
    """Few-shot demonstrations placed before the input (Brown et al., 2020)."""

    count: int = Field(ge=1)
    """How many; of a classification's labels each in turn."""
    language: Literal["source", "target"] = "source"
    """Written in the (first) source language, or in that of the text."""
    split: Literal["train", "validation"] = "train"
    """Where they are drawn from, with the run's seed."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TemplateConfig:
    """A prompt template with a verbalizer."""

    template: str
    """Holds `{text}` and, for the second of a pair (or a question's context), `{second_text}`. The answer follows."""
    templates: dict[str, str] = dataclasses.field(default_factory=dict)
    """Other templates for single languages, by FLORES code."""
    words: dict[str, str] = dataclasses.field(default_factory=dict)
    """Verbalizer: the words of each label; without it the label's own name."""
    words_in: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    """Verbalizers of single languages, by FLORES code."""
    examples: ExamplesConfig | None = None
    """Demonstrations placed before each text; null for none."""

    def __post_init__(self) -> None:
        """Checks that each template has the right places."""
        for key, template in {"template": self.template, **self.templates}.items():
            where = key if key == "template" else f"templates: that of {key}"
            try:
                parts = list(string.Formatter().parse(template))
            except ValueError as error:
                raise ValueError(f"{where} cannot be read: {error}; a brace itself is written twice") from None
            for _, place, format_, conversion in parts:
                if place is not None and place not in PLACES:
                    raise ValueError(f"{where} has no place for {{{place}}}{nearest(place, PLACES)}")
                if format_ or conversion:
                    raise ValueError(f"{where} formats {{{place}}}, which is text: write the name in braces alone")
            if "text" not in (place for _, place, _, _ in parts):
                raise ValueError(f"{where} has no place for the {{text}}")

    def words_for(self, labels: Sequence[str], language: str) -> list[str]:
        """Returns what the labels are called in a language."""
        words = {**self.words, **self.words_in.get(language, {})}
        return [words.get(label, label) for label in labels]

    def ask(self, language: str, texts: Sequence[str]) -> str:
        """Returns the template of a language with the texts in their places."""
        return self.templates.get(language, self.template).format_map(dict(zip(PLACES, texts, strict=False)))


def draw_examples(dataset: LabelledDataset, config: ExamplesConfig, language: str, seed: int) -> list[Example]:
    """Draws examples of a language, by the rank of a hash of the seed and the id; of labels each in turn.

    So the choice does not depend on the order of reading, and is the same sentences in each language of a parallel
    dataset.

    Raises:
        DataError: If the split is missing, or holds too few.
    """
    of_labels: dict[int | None, list[Example]] = defaultdict(list)
    for example in dataset.examples(language, config.split):
        of_labels[example.label].append(example)
    labels = sorted(of_labels, key=lambda label: draw(seed, f"label/{label}"))
    ranked = [sorted(of_labels[label], key=lambda example: draw(seed, example.id)) for label in labels]
    in_turn = [example for turn in itertools.zip_longest(*ranked) for example in turn if example is not None]
    if len(in_turn) < config.count:
        raise DataError(
            f"{dataset.name} {language}: the {config.split} split holds {len(in_turn)} examples, not {config.count}"
        )
    return sorted(in_turn[: config.count], key=lambda example: draw(seed, f"order/{example.id}"))


class PromptBuilder:
    """Renders examples as prompts of token ids.

    An empty line follows each demonstration, which ends with a space and its answer.
    """

    def __init__(
        self,
        config: TemplateConfig,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        is_decoder: bool,
        shown: Mapping[str, Sequence[tuple[Example, str]]],
    ) -> None:
        """Keeps what all texts share.

        Args:
            config: The template.
            tokenizer: Of the backbone.
            is_decoder: Whether the answer continues the text, which then has no end-of-text token.
            shown: By the language of a text, its demonstrations with their answers.
        """
        self.config = config
        self.tokenizer = tokenizer
        self.is_decoder = is_decoder
        self._before = {
            language: "".join(
                f"{config.ask(example.language, example.texts)} {answer}{BETWEEN_EXAMPLES}"
                for example, answer in examples
            )
            for language, examples in shown.items()
        }

    def ids(self, example: Example, language: str, max_length: int, prefix: str = "") -> list[int]:
        """Returns the tokens of a prompt in a language; if they are too many, the longer of its texts is truncated.

        Raises:
            DataError: If there is no room for any of the texts.
        """
        before = prefix + self._before.get(language, "")
        texts = list(example.texts)
        while True:
            ids = self._tokenise(before + self.config.ask(language, texts))
            if len(ids) <= max_length:
                return ids
            ends = [_token_ends(self.tokenizer, text) for text in texts]
            place = max(range(len(texts)), key=lambda number: len(ends[number]))
            # The longer text loses its end until both are about as long, and then each in turn.
            longer = len(ends[place]) - sorted(map(len, ends))[-2] if len(ends) > 1 else len(ids)
            kept = ends[place][: -min(len(ids) - max_length, max(1, longer))]
            if not kept:
                raise DataError(
                    f"{example.language}, {example.id}: template and examples alone are longer than {max_length} "
                    "tokens; raise max_length or show fewer examples"
                )
            texts[place] = texts[place][: kept[-1]].rstrip()

    def answer_ids(self, answer: str, *, ends: bool) -> list[int]:
        """Returns the tokens of an answer as they follow the question, and the end-of-text token if it `ends`."""
        if not answer:
            ids: list[int] = []
        elif self.is_decoder:
            ids = following(self.tokenizer, answer)
        else:
            ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return [*ids, *([self.tokenizer.eos_token_id] if ends else [])]

    def _tokenise(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, verbose=False)["input_ids"]
        if self.is_decoder and len(ids) > 1 and ids[-1] == self.tokenizer.eos_token_id:
            return ids[:-1]
        return ids


def following(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Returns the tokens of a text as it follows another after a space.

    What a tokenizer makes of a text alone may differ: some put a space before every text, some none.
    """
    before: list[int] = tokenizer(":", add_special_tokens=False)["input_ids"]
    both: list[int] = tokenizer(f": {text}", add_special_tokens=False)["input_ids"]
    if both[: len(before)] == before:
        return both[len(before) :]
    alone: list[int] = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
    return alone


def _token_ends(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Returns where in a text each of its tokens ends, in characters."""
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return [end for _, end in spans]
