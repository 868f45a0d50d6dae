from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from datamodules import (
    DataError,
    DatasetConfig,
    Example,
    ExamplesConfig,
    GenerationData,
    LabelWordData,
    PromptBuilder,
    TemplateConfig,
    draw_examples,
    labelled_dataset,
)
from datamodules.labelled.templates import following
from tests.datamodules.conftest import Write

LABELS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
CALLED = {label: f"w{50 + number}" for number, label in enumerate(LABELS)}


def prompt_builder(tokenizer: PreTrainedTokenizerFast, is_decoder: bool = True, **settings: Any) -> PromptBuilder:
    config = TemplateConfig(**({"template": "{text} w9"} | settings))
    return PromptBuilder(config, tokenizer, is_decoder=is_decoder, shown={})


def ask(tokenizer: PreTrainedTokenizerFast, example: Example, length: int = 20, **settings: Any) -> str:
    ids = prompt_builder(tokenizer, **settings).ids(example, example.language, length)
    return str(tokenizer.decode(ids))


def pair(first: str, second: str, language: str = "eng_Latn") -> Example:
    return Example("0", first, language, second_text=second)


def test_a_decoder_goes_on_where_the_question_ends(tokenizer: PreTrainedTokenizerFast) -> None:
    example = Example("0", "w1 w2", "eng_Latn")
    assert ask(tokenizer, example) == "<s> w1 w2 w9"
    assert ask(tokenizer, example, is_decoder=False) == "<s> w1 w2 w9 </s>"
    assert prompt_builder(tokenizer).answer_ids("w3", ends=True) == [8, 2]
    assert prompt_builder(tokenizer).answer_ids("", ends=True) == [2]


def test_the_longer_text_is_cut_and_nothing_of_the_template(tokenizer: PreTrainedTokenizerFast) -> None:
    example = pair("w1 w2 w3 w4 w5 w6", "w7 w8")
    template = "{second_text} w20 {text} w21"
    assert ask(tokenizer, example, 8, template=template) == "<s> w7 w8 w20 w1 w2 w3 w21"
    # At last both are cut, in turn.
    assert ask(tokenizer, example, 5, template=template) == "<s> w7 w20 w1 w21"
    with pytest.raises(DataError, match="template and examples alone are longer than 4 tokens; raise max_length"):
        ask(tokenizer, Example("0", "w1 w2", "eng_Latn"), 4, template="w20 {text} w21 w22")


def test_braces_of_a_text_are_no_places(tokenizer: PreTrainedTokenizerFast) -> None:
    config = TemplateConfig(template="{{x}} {text} {second_text}")
    assert config.ask("eng_Latn", ["{second_text}", "{0}"]) == "{x} {second_text} {0}"


def test_a_language_has_its_own_template_and_words(tokenizer: PreTrainedTokenizerFast) -> None:
    config = TemplateConfig(
        template="{text} w1",
        templates={"fra_Latn": "w2 {text}"},
        words={"yes": "w3"},
        words_in={"fra_Latn": {"no": "w4"}},
    )
    assert config.ask("fra_Latn", ["w7"]) == "w2 w7"
    assert config.ask("deu_Latn", ["w7"]) == "w7 w1"
    assert config.words_for(["yes", "no"], "fra_Latn") == ["w3", "w4"]
    assert config.words_for(["yes", "no"], "deu_Latn") == ["w3", "no"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("Topic:", "template has no place for the {text}"),
        ("{text} {txt}", "template has no place for {txt}; did you mean 'text'"),
        ("{text} {", "template cannot be read"),
        ("{text} {}", "template has no place for {}"),
    ],
)
def test_a_template_that_cannot_be_meant(template: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(TemplateConfig).validate_python({"template": template})


@pytest.fixture
def sib200(write: Write) -> Path:
    for number, code in enumerate(("eng_Latn", "swh_Latn")):
        for split in ("train", "validation", "test"):
            rows = [
                {"index_id": row, "category": LABELS[row % 7], "text": f"w{row} w{number + 90}"} for row in range(28)
            ]
            folder = write(f"{code}/{split}", rows)
    return folder


def test_examples_are_of_each_label_in_turn_and_the_same_in_parallel_languages(sib200: Path) -> None:
    dataset = labelled_dataset(DatasetConfig("sib200", path=str(sib200)))

    def drawn(count: int, language: str = "eng_Latn", seed: int = 0) -> list[Example]:
        return draw_examples(dataset, ExamplesConfig(count=count), language, seed)

    assert sorted(example.label or 0 for example in drawn(7)) == list(range(7))
    assert sorted(example.label or 0 for example in drawn(14)) == sorted([*range(7)] * 2)
    assert [example.id for example in drawn(5)] == [example.id for example in drawn(5, "swh_Latn")]
    assert [example.id for example in drawn(5)] != [example.id for example in drawn(5, seed=1)]
    # Where not every label has its turn, another seed begins with others.
    assert {example.label for seed in range(20) for example in drawn(2, seed=seed)} == set(range(7))
    with pytest.raises(DataError, match="sib200 eng_Latn: the train split holds 28 examples, not 29"):
        drawn(29)


def test_examples_stand_before_the_text_with_their_answers(sib200: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    template = TemplateConfig(template="{text} w9", words=CALLED, examples=ExamplesConfig(count=2))
    config = DatasetConfig("sib200", path=str(sib200), max_length=40)
    data = LabelWordData(
        config, tokenizer, template, labels=LABELS, is_decoder=True, sources=["eng_Latn"], targets=["swh_Latn"]
    )
    rows = {batch["id"][row]: ids for batch in data.predict_dataloader() for row, ids in enumerate(batch["input_ids"])}
    first, second = draw_examples(data.dataset, template.examples or ExamplesConfig(1), "eng_Latn", 0)
    shown = " ".join(f"{each.text} w9 {CALLED[LABELS[each.label or 0]]}" for each in (first, second))
    text = tokenizer.decode(rows["3"], skip_special_tokens=True)
    assert text == f"{shown} w3 w91 w9"


def test_label_words_of_a_batch(sib200: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    template = TemplateConfig(template="{text}", words=CALLED, words_in={"swh_Latn": {"travel": "w1 w2"}})
    config = DatasetConfig("sib200", path=str(sib200))
    for is_decoder in (True, False):
        data = LabelWordData(
            config, tokenizer, template, labels=LABELS, is_decoder=is_decoder, targets=["eng_Latn", "swh_Latn"]
        )
        end = [] if is_decoder else [2]
        for batch in data.predict_dataloader():
            for language, answers, label in zip(batch["language"], batch["answers"], batch["labels"], strict=True):
                expected = [[5 + int(word[1:]), *end] for word in CALLED.values()]
                expected[1] = [6, 7, *end] if language == "swh_Latn" else expected[1]
                assert answers == expected
                assert 0 <= label < 7


def test_answers_to_write(sib200: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    template = TemplateConfig(template="{text}", words=CALLED)
    config = DatasetConfig("sib200", path=str(sib200))
    data = GenerationData(config, tokenizer, template, labels=LABELS, is_decoder=True, targets=["swh_Latn"])
    [batch] = data.predict_dataloader()
    labels = {example.id: LABELS[example.label or 0] for example in data.dataset.examples("swh_Latn", "test")}
    assert batch["answers"] == [[5 + int(CALLED[labels[row]][1:]), 2] for row in batch["id"]]
    # New texts have no answer to learn from.
    [bare] = data.examples_dataloader([Example("0", "w1", "swh_Latn")])
    assert "answers" not in bare
    assert bare["text"] == ["w1"]


def test_translations_are_asked_about_in_their_own_language(sib200: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    template = TemplateConfig(
        template="w40 {text}",
        templates={"swh_Latn": "w41 {text}"},
        words=CALLED,
        words_in={"swh_Latn": {"travel": "w3"}},
    )
    translated = DatasetConfig("sib200", path=str(sib200), translated={"text": "category"})
    for config, first in ((translated, 45), (DatasetConfig("sib200", path=str(sib200)), 46)):
        data = LabelWordData(
            config, tokenizer, template, labels=LABELS, is_decoder=True, sources=["eng_Latn"], targets=["swh_Latn"]
        )
        [batch] = data.predict_dataloader()
        assert set(batch["input_ids"][:, 1].tolist()) == {first}
        assert set(batch["language"]) == {"swh_Latn"}
        assert {tuple(answers[1]) for answers in batch["answers"]} == {(56,) if first == 45 else (8,)}
        written = GenerationData(
            config, tokenizer, template, labels=LABELS, is_decoder=True, sources=["eng_Latn"], targets=["swh_Latn"]
        )
        [batch] = written.predict_dataloader()
        assert set(batch["prompt_language"]) == {"eng_Latn" if first == 45 else "swh_Latn"}
        travel = LABELS.index("travel")
        about_travel = {row.id for row in written.dataset.examples("swh_Latn", "test") if row.label == travel}
        answers = dict(zip(batch["id"], batch["answers"], strict=True))
        assert {answers[row][0] for row in about_travel} == {56 if first == 45 else 8}


class TestReadingAnswers:
    def test_a_label_is_what_it_is_called_and_nothing_near(self, sib200: Path) -> None:
        dataset = labelled_dataset(DatasetConfig("sib200", path=str(sib200)))
        words = ["Science", "Travel", "Politics", "Sports", "Health", "Fun", "fun"]
        assert dataset.read_answer(" science. ", "", words) == "science/technology"
        assert dataset.read_answer("TRAVEL", "", words) == "travel"
        for written in ("", "sport", "Sports and health", "entertainment", "fun"):
            assert dataset.read_answer(written, "", words) is None

    def test_entities_are_found_in_the_sentence(self, write: Write) -> None:
        tags = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-DATE", "I-DATE"]
        gold = [1, 2, 0, 5, 5, 0, 1]
        row = {"id": "0", "tokens": ["Ada", "Obi", "of", "Kano", "Kano", "saw", "Ada"], "ner_tags": gold}
        folder = write("hau/test", [row])
        dataset = labelled_dataset(DatasetConfig("masakhaner2", path=str(folder)))
        [example] = dataset.examples("hau_Latn", "test")
        written = dataset.answer(example, tags)
        assert written == "PER: Ada Obi$$LOC: Kano$$LOC: Kano$$PER: Ada"
        assert dataset.read_answer(written, example.text, tags) == dataset.gold(example)
        called = ["O", "person", "I-PER", "B-ORG", "I-ORG", "place", "I-LOC", "B-DATE", "I-DATE"]
        assert dataset.answer(example, called).startswith("person: Ada Obi$$place: Kano")
        assert dataset.read_answer("Person: Ada Obi", example.text, called) == "B-PER I-PER O O O O O"
        # Who is not in the sentence is a wrong span behind it; what names no type is no answer.
        assert dataset.read_answer("PER: Bello", example.text, tags) == "O O O O O O O B-PER"
        assert dataset.read_answer("", example.text, tags) == "O O O O O O O"
        for wrong in ("Ada Obi", "NAME: Ada Obi", "PER:", "PER: Ada$$Kano"):
            assert dataset.read_answer(wrong, example.text, tags) is None

    def test_real_entities_are_read_back(self, real_data: Path) -> None:
        dataset = labelled_dataset(DatasetConfig("masakhaner2", path=str(real_data / "masakhaner2")))
        back = total = 0
        for example in dataset.examples("swh_Latn", "test"):
            written = dataset.answer(example, dataset.labels)
            total += 1
            back += dataset.read_answer(written, example.text, dataset.labels) == dataset.gold(example)
        # What is not: a name that stands earlier in the sentence without being an entity, or "$$" in it.
        assert back / total > 0.98


def test_words_follow_a_text_as_they_do_in_it(e5: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(e5)
    for word in ("sports", "siasa", "ɗalibai"):
        text = tokenizer(f"Topic: {word}", add_special_tokens=False)["input_ids"]
        assert text == [*tokenizer("Topic:", add_special_tokens=False)["input_ids"], *following(tokenizer, word)]
