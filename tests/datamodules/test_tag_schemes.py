"""Tags in other schemes than BIO: converted to the spans that they mark, or refused."""

from __future__ import annotations

import pytest
from seqeval.scheme import BILOU, IOBES, IOE1, IOE2, Entities

from datamodules import DataError, DatasetConfig, TaggingDataset, labelled_dataset
from datamodules.datasets.tag_schemes import refuse_other_schemes, to_bio
from tests.datamodules.conftest import Write

SENTENCES = {
    "IOBES": (
        *("B-PER I-PER E-PER O S-LOC", "S-PER S-PER B-LOC E-LOC", "O O", "B-PER E-PER B-PER E-PER O"),
        *("S-LOC B-PER I-PER I-PER E-PER S-LOC",),
    ),
    "BILOU": ("B-PER I-PER L-PER O U-LOC", "U-PER U-PER B-LOC L-LOC", "O U-LOC O"),
    "IOE1": ("I-PER I-PER O I-LOC", "I-PER E-PER I-PER O", "O I-LOC I-PER"),
    "IOE2": ("I-PER E-PER O E-LOC", "E-PER E-PER I-LOC E-LOC", "I-LOC I-LOC E-LOC E-PER"),
}
KNOWN = {"IOBES": IOBES, "BILOU": BILOU, "IOE1": IOE1, "IOE2": IOE2}
"""An independent reading of the schemes."""


def spans_of_bio(tags: list[str]) -> set[tuple[str, int, int]]:
    """The spans of tags in BIO, read by the letter: each begins with its B-."""
    found = set()
    for first, tag in enumerate(tags):
        if tag.startswith("B-"):
            past = first + 1
            while past < len(tags) and tags[past] == f"I-{tag[2:]}":
                past += 1
            found.add((tag[2:], first, past))
    return found


@pytest.mark.parametrize("scheme", SENTENCES)
def test_conversion_keeps_the_spans(scheme: str) -> None:
    for sentence in SENTENCES[scheme]:
        tags = sentence.split()
        [entities] = Entities([tags], KNOWN[scheme]).entities
        assert spans_of_bio(to_bio(tags)) == {(one.tag, one.start, one.end) for one in entities}, sentence


def test_the_letters_of_chinese_corpora() -> None:
    tags = ["B-PER", "M-PER", "E-PER", "S-LOC", "W-LOC", "O"]
    assert to_bio(tags) == ["B-PER", "I-PER", "I-PER", "B-LOC", "B-LOC", "O"]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("O", "B-PER", "I-PER", "E-PER", "S-PER"), "the label 'E-PER' is not one of the BIO scheme; name it in"),
        (("O", "PER", "LOC"), "the label 'PER' is not one of the BIO scheme; write O, B-<type> and I-<type>; "),
        (("O", "PER-B", "PER-I"), "the label 'PER-B' is not one of the BIO scheme; write O, B-<type> and I-<type>"),
        (("O", "B_PER", "I_PER"), "the label 'B_PER' is not one of the BIO scheme; write O, B-<type> and I-<type>"),
        (("O", "B-", "I-"), "the label 'B-' is not one of the BIO scheme"),
        (("O", "B-New York", "I-New York"), "the label 'B-New York' is not one of the BIO scheme"),
        (("B-PER", "I-PER"), "the labels lack 'O'"),
        (("NOUN", "VERB"), "the labels lack 'O'"),
        ((), "the labels lack 'O'"),
    ],
)
def test_labels_in_another_scheme_are_refused(labels: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DataError) as raised:
        refuse_other_schemes("mine", labels)
    assert str(raised.value).startswith(f"mine: {reason}")


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        (("O", "PER"), "the published tag 'PER' is neither O nor <letter>-<type>"),
        (("O", "S-LOC"), "the published tag 'S-LOC' may become 'B-LOC', which the labels lack"),
    ],
)
def test_published_tags_that_cannot_be_converted_are_refused(published: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        refuse_other_schemes("mine", ("O", "B-PER", "I-PER"), published)


@pytest.mark.parametrize("labels", [("O", "B-PER", "I-PER"), ("O", "I-PER", "I-LOC", "B-LOC"), ("O", "I-PER")])
def test_bio_and_its_kin_are_labels(labels: tuple[str, ...]) -> None:
    refuse_other_schemes("mine", labels)


class Iobes(TaggingDataset):
    name = "iobes"
    hub_id = "me/iobes"
    configs = {"swh_Latn": "sw"}
    published_tags = ("O", "B-PER", "I-PER", "E-PER", "S-PER", "S-LOC")
    labels = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def test_a_dataset_converts_names_and_numbers_of_published_tags(write: Write) -> None:
    rows = [
        {"tokens": ["a", "b", "c", "d", "e"], "ner_tags": [1, 2, 3, 4, 5]},
        {"tokens": ["a", "b", "c", "d", "e"], "ner_tags": [0, 0, 0, 0, 4]},
    ]
    found = labelled_dataset(DatasetConfig(f"{__name__}.Iobes", str(write("sw/test", rows))))
    found.verify()
    assert [found.gold(example) for example in found.examples("swh_Latn", "test")] == [
        "B-PER I-PER I-PER B-PER B-LOC",
        "O O O O B-PER",
    ]


class Iob1(TaggingDataset):
    name = "iob1"
    hub_id = "me/iob1"
    configs = {"swh_Latn": "sw"}
    labels = ("O", "I-PER", "I-LOC", "B-LOC")


def test_types_without_a_beginning_are_written_too(write: Write) -> None:
    rows = [{"tokens": ["a", "b", "c", "d"], "ner_tags": ["I-PER", "I-PER", "I-LOC", "B-LOC"]}]
    found = labelled_dataset(DatasetConfig(f"{__name__}.Iob1", str(write("sw/test", rows))))
    [example] = found.examples("swh_Latn", "test")
    assert found.answer(example, found.labels) == "PER: a b$$LOC: c$$LOC: d"
    assert found.read_answer("LOC: d", example.text, found.labels) == "O O O B-LOC"
