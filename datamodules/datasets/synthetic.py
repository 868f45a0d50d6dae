"""Synthetic languages for the offline quickstart: drawn from a seed whenever they are read, never stored.

Seven languages come from one proto-language, as related languages do. They share names and numerals; most other words
are inherited and changed by each language's regular sound changes, some are made anew. The order of words and particles
differs too. So a word can be the same in two languages, alike or strange.

A sentence has a topic, to which most of its words belong. Many sentences also name a place, marked by a particle, and
its words belong to another topic: a match beside a hospital is sports, not health. Labels are the topics.

`Synthetic` has labelled sentences, the same ones in each language. `SyntheticText` has documents to learn a language
from, other ones in each. Languages A to D are meant for pretraining a backbone, A for learning the task in, and E, F
and G to be new to both.
"""

import functools
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from typing_extensions import override

from datamodules.datasets.base import TEST, TRAIN, VALIDATION, ClassificationDataset, Dataset
from datamodules.errors import DataError
from datamodules.sources.row import Row, Rows

VERSION = 1
"""Seeds all that is drawn and is part of the fingerprint: raise it when a change here changes any text."""

TOPICS = ("entertainment", "health", "politics", "science", "sports", "travel")

_SENTENCES = {TRAIN: 1200, VALIDATION: 300, TEST: 600}
_DOCUMENTS = {TRAIN: 1000, VALIDATION: 50}
_SENTENCES_OF_DOCUMENT = 10

_USES = (TRAIN, VALIDATION, TEST, *["document"] * 5)
"""What a meaning may be used for, by its checksum: so the splits share no sentence with each other or a document."""

_GENERAL = "general"
"""Words of no topic."""

_NOUN, _VERB, _ADJECTIVE = "noun", "verb", "adjective"
_TOPIC_WORDS = {_NOUN: 6, _VERB: 3, _ADJECTIVE: 3}
_GENERAL_WORDS = {_NOUN: 10, _VERB: 5, _ADJECTIVE: 5}
_NAMES = tuple(f"name {number}" for number in range(12))
_NUMERALS = tuple(f"numeral {number}" for number in range(6))
_SHARED = {*_NAMES, *_NUMERALS}
_PARTICLES = (_SUBJECT, _OBJECT, _PLACE, _PAST) = "subject", "object", "place", "past"

_CONSONANTS, _VOWELS = "bdgklmnprst", "aeiou"


@dataclass(frozen=True)
class SyntheticLanguage:
    """What a language does differently from the proto-language."""

    sounds: tuple[str, str] = ("", "")
    """Letters and what each becomes; never two letters the same, so different words stay different."""
    order: str = "SVO"
    """Of subject, verb and object."""
    adjective_first: bool = True
    """Whether adjectives stand before their noun."""
    particle_last: bool = False
    """Whether particles stand behind what they mark."""
    anew: float = 0.0
    """Share of the words that are not inherited."""


SYNTHETIC_LANGUAGES = {
    "qaa_Latn": SyntheticLanguage(),
    "qab_Latn": SyntheticLanguage(("pk", "fh"), "SOV", adjective_first=False, particle_last=True, anew=0.1),
    "qac_Latn": SyntheticLanguage(("td", "dz"), anew=0.1),
    "qad_Latn": SyntheticLanguage(("ei", "ie"), "VSO", adjective_first=False, anew=0.1),
    "qae_Latn": SyntheticLanguage(("pkr", "fhj"), "SOV", particle_last=True, anew=0.1),
    "qaf_Latn": SyntheticLanguage(("tdb", "dzv"), adjective_first=False, particle_last=True, anew=0.1),
    "qag_Latn": SyntheticLanguage(("lrk", "rjh"), "VSO", anew=0.2),
}
"""By FLORES code; ISO 639 leaves `qaa` to `qtz` to everybody's own use."""


@dataclass(frozen=True)
class _Phrase:
    noun: str
    adjective: str | None = None
    numeral: str | None = None


@dataclass(frozen=True)
class _Meaning:
    """What a sentence says, in no language."""

    subject: _Phrase
    verb: str
    object: _Phrase
    place: _Phrase | None
    past: bool


class _Drawn:
    """A source (see `datamodules.sources.base.Source`) without files: its rows are drawn."""

    def __init__(self, name: str, draw: Callable[[str, str], Iterator[dict[str, str]]]) -> None:
        self.name = name
        self.draw = draw

    def rows(self, config: str, split: str, columns: object, optional: object) -> Rows:
        for number, cells in enumerate(self.draw(config, split), start=1):
            yield Row(cells, file=f"{self.name} {config}/{split}", place=f"row {number}")

    def fingerprint(self, config: str, split: str) -> str:
        return f"{self.name} {VERSION}/{config}/{split}"

    def check(self, config: str, split: str) -> None:
        """Every split that is declared is there."""


class _DrawnDataset(Dataset):
    hub_id = ""
    configs = {code: code for code in SYNTHETIC_LANGUAGES}

    def __init__(self, path: str | None = None, revision: str | None = None) -> None:
        if path is not None or revision is not None:
            raise DataError(f"dataset '{self.name}' is drawn, not read: leave out its path and revision")
        self.source = _Drawn(self.name, self.draw)

    @staticmethod
    def draw(language: str, split: str) -> Iterator[dict[str, str]]:
        """Yields the cells of each row of a split."""
        raise NotImplementedError


class Synthetic(_DrawnDataset, ClassificationDataset):
    """1,200, 300 and 600 sentences in each language, translations of each other, by topic."""

    name = "synthetic"
    parallel = True
    columns = ("label", "text")
    labels = TOPICS

    @staticmethod
    @override
    def draw(language: str, split: str) -> Iterator[dict[str, str]]:
        for number in range(_SENTENCES[split]):
            topic, meaning = _draw_sentence(split, number)
            yield {"label": topic, "text": _say(meaning, language)}


class SyntheticText(_DrawnDataset):
    """1,000 and 50 documents of ten sentences in each language; a document keeps to its topic and place."""

    name = "synthetic-text"
    splits = {TRAIN: TRAIN, VALIDATION: VALIDATION}
    columns = ("text",)

    @staticmethod
    @override
    def draw(language: str, split: str) -> Iterator[dict[str, str]]:
        return ({"text": _draw_document(language, split, number)} for number in range(_DOCUMENTS[split]))


# What is drawn is kept (some megabytes), for each stage reads all of it again.
@functools.cache
def _draw_sentence(split: str, number: int) -> tuple[str, _Meaning]:
    """Draws the topic and the meaning of a row, which says the same in all languages."""
    generator = random.Random(f"{VERSION}/sentence/{split}/{number}")
    topic, place_topic = generator.sample(TOPICS, 2)
    return topic, _draw_meaning(generator, topic, place_topic, use=split)


@functools.cache
def _draw_document(language: str, split: str, number: int) -> str:
    generator = random.Random(f"{VERSION}/document/{language}/{split}/{number}")
    topic, place_topic = generator.sample(TOPICS, 2)
    meanings = [_draw_meaning(generator, topic, place_topic, use="document") for _ in range(_SENTENCES_OF_DOCUMENT)]
    return "\n".join(_say(meaning, language) for meaning in meanings)


def _draw_meaning(generator: random.Random, topic: str, place_topic: str, use: str) -> _Meaning:
    """Draws meanings until one may be used for `use`."""
    while True:
        meaning = _Meaning(
            subject=_draw_phrase(generator, topic),
            verb=_draw_word(generator, _VERB, topic),
            object=_draw_phrase(generator, topic),
            place=_draw_phrase(generator, place_topic, adjective=0.6, name=0.0) if generator.random() < 0.6 else None,
            past=generator.random() < 0.5,
        )
        if _USES[zlib.crc32(repr(meaning).encode()) % len(_USES)] == use:
            return meaning


def _draw_phrase(
    generator: random.Random, topic: str, adjective: float = 0.35, name: float = 0.12, numeral: float = 0.12
) -> _Phrase:
    if generator.random() < name:
        return _Phrase(generator.choice(_NAMES))
    return _Phrase(
        _draw_word(generator, _NOUN, topic),
        _draw_word(generator, _ADJECTIVE, topic) if generator.random() < adjective else None,
        generator.choice(_NUMERALS) if generator.random() < numeral else None,
    )


def _draw_word(generator: random.Random, kind: str, topic: str) -> str:
    """Draws from the topic (75 %), from any topic (5 %) or from the general words."""
    chance = generator.random()
    if chance < 0.8:
        return generator.choice(_words(topic if chance < 0.75 else generator.choice(TOPICS), kind))
    return generator.choice(_words(_GENERAL, kind))


@functools.cache
def _words(topic: str, kind: str) -> tuple[str, ...]:
    sizes = _GENERAL_WORDS if topic == _GENERAL else _TOPIC_WORDS
    return tuple(f"{topic} {kind} {number}" for number in range(sizes[kind]))


def _say(meaning: _Meaning, language: str) -> str:
    """Puts a meaning into the words and the order of a language."""
    grammar = SYNTHETIC_LANGUAGES[language]

    def marked(particle: str, words: list[str]) -> list[str]:
        return [*words, particle] if grammar.particle_last else [particle, *words]

    def phrase(particle: str, said: _Phrase) -> list[str]:
        described = [said.adjective, said.noun] if grammar.adjective_first else [said.noun, said.adjective]
        return marked(particle, [word for word in (said.numeral, *described) if word is not None])

    parts = {
        "S": phrase(_SUBJECT, meaning.subject),
        "V": marked(_PAST, [meaning.verb]) if meaning.past else [meaning.verb],
        "O": phrase(_OBJECT, meaning.object),
    }
    words = [word for part in grammar.order for word in parts[part]]
    words += phrase(_PLACE, meaning.place) if meaning.place else []
    lexicon = _lexicon(language)
    return " ".join(lexicon[word] for word in words)


@functools.cache
def _lexicon(language: str) -> dict[str, str]:
    """Returns the form of every word in a language."""
    grammar = SYNTHETIC_LANGUAGES[language]
    sounds = str.maketrans(*grammar.sounds)
    generator = random.Random(f"{VERSION}/words/{language}")
    lexicon = dict(_proto_lexicon())
    taken = set(lexicon.values())
    for word, form in lexicon.items():
        if word not in _SHARED:
            own = _new_form(generator, len(form) // 2, taken) if generator.random() < grammar.anew else form
            lexicon[word] = own.translate(sounds)
    return lexicon


@functools.cache
def _proto_lexicon() -> dict[str, str]:
    generator = random.Random(f"{VERSION}/words")
    content = [word for topic in (*TOPICS, _GENERAL) for kind in _TOPIC_WORDS for word in _words(topic, kind)]
    syllables = {word: generator.choice((2, 2, 3)) for word in content}
    syllables |= dict.fromkeys(_NAMES, 3) | dict.fromkeys(_NUMERALS, 2) | dict.fromkeys(_PARTICLES, 1)
    taken: set[str] = set()
    return {word: _new_form(generator, number, taken) for word, number in syllables.items()}


def _new_form(generator: random.Random, syllables: int, taken: set[str]) -> str:
    """Draws a form that is not taken yet, and takes it."""
    while True:
        form = "".join(generator.choice(_CONSONANTS) + generator.choice(_VOWELS) for _ in range(syllables))
        if form not in taken:
            taken.add(form)
            return form
