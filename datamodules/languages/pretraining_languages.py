"""Which languages published multilingual models were pretrained on, by the lists that their authors published.

A list says that a corpus was meant to hold a language, not how much of it: XLM-R saw 300 GB of English and a tenth of a
GB of Oromo. It says nothing of dialects and little of scripts: only what a list names counts as seen, so Egyptian
Arabic is unseen where a list says "Arabic". Text that crept in unnamed is not known.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import DataError, nearest
from datamodules.languages.table import LANGUAGES, rows_of


@dataclass(frozen=True)
class PretrainingCorpus:
    """A corpus that models were pretrained on."""

    name: str
    """What tables call it: `CC-100`."""
    source: str
    """Where the list is published."""
    codes: tuple[str, ...]
    """The languages as codes of Wikipedias (mostly ISO 639-1) where there is one in `LANGUAGES`, else as FLORES codes;
    those that Modulingua has no datasets in are listed too. `pretraining_languages.tsv` holds them."""
    models: tuple[str, ...]
    """Patterns (regular expressions) of the hub names of models that were pretrained on it, without their owner."""

    @property
    def languages(self) -> frozenset[str]:
        """The languages as FLORES codes; what is not in `LANGUAGES` is left out."""
        return frozenset(_FLORES[code] for code in self.codes if code in _FLORES)


_FLORES = {code: known.code for known in LANGUAGES.values() for code in (known.code, known.wikipedia) if code}
_ROWS = rows_of(Path(__file__).with_name("pretraining_languages.tsv"))


def _codes(corpus: str) -> tuple[str, ...]:
    return tuple(row["code"] for row in _ROWS if corpus in row["corpora"].split())


PRETRAINING_CORPORA: dict[str, PretrainingCorpus] = {
    # Five languages are there in Latin letters too, and Burmese in Zawgyi; such text is in none of our languages.
    "cc100": PretrainingCorpus(
        name="CC-100",
        source="Conneau et al., ACL 2020, table 6",
        codes=_codes("cc100"),
        # E5 was initialised from XLM-R, its small model from a MiniLM that was distilled from XLM-R on its languages
        # (Wang et al., arXiv:2402.05672); mDeBERTa was pretrained on CC-100 itself.
        models=(r"xlm-roberta-.*", r"multilingual-e5-(small|base|large)", r"multilingual-minilm-.*", r"mdeberta-v3-.*"),
    ),
    # Chinese is listed without its script, so it counts in both; six more languages are there in Latin letters too.
    "mc4": PretrainingCorpus(
        name="mC4",
        source="Xue et al., NAACL 2021, table 6",
        codes=_codes("mc4"),
        models=(r"mt5-.*", r"mt0-.*"),
    ),
    "wikipedia104": PretrainingCorpus(
        name="the 104 largest Wikipedias",
        source="Devlin et al., multilingual.md of google-research/bert",
        codes=_codes("wikipedia104"),
        models=(r"(distil)?bert-base-multilingual-cased",),
    ),
    "roots": PretrainingCorpus(
        name="ROOTS",
        source="Laurençon et al., NeurIPS 2022, table 1; model card of BLOOM",
        codes=_codes("roots"),
        models=(r"bloomz?(-.*)?",),
    ),
    # Chinese is listed without its script, so it counts in both.
    "cc100-xl": PretrainingCorpus(
        name="CC100-XL",
        source="Lin et al., EMNLP 2022, table 1",
        codes=_codes("cc100-xl"),
        # XGLM of 4.5B parameters saw 134 languages, of which no list is published.
        models=(r"xglm-(564M|1\.7B|2\.9B|7\.5B)",),
    ),
    "mbart50": PretrainingCorpus(
        name="the 50 languages of mBART-50",
        source="Tang et al., Findings of ACL 2021, table 1; tokenizer of transformers",
        codes=_codes("mbart50"),
        models=(r"mbart-large-50(-.*)?",),
    ),
}
"""The corpora by the names that a command line takes."""


def pretraining_corpus(name: str) -> PretrainingCorpus:
    """Looks a corpus up.

    Raises:
        DataError: If no such corpus is known, with the nearest one.
    """
    if name not in PRETRAINING_CORPORA:
        known = ", ".join(PRETRAINING_CORPORA)
        raise DataError(f"unknown pretraining corpus '{name}'{nearest(name, PRETRAINING_CORPORA)} (known: {known})")
    return PRETRAINING_CORPORA[name]


def corpus_of_model(model: str) -> PretrainingCorpus | None:
    """Returns what a model on the hub was pretrained on; for one that was tuned further, what its base model was.

    A revision after `@` is no matter. Returns None for somebody else's model: `me/mt5-small` may be anything.
    """
    owner, _, name = model.partition("@")[0].rpartition("/")
    if owner not in OWNERS:
        return None
    return next((corpus for corpus in PRETRAINING_CORPORA.values() if _is_one_of(name, corpus.models)), None)


def was_tuned(model: str) -> bool:
    """Whether a published model saw more text after its pretraining, in languages that its corpus does not tell."""
    return _is_one_of(model.partition("@")[0].rpartition("/")[2], TUNED)


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(re.fullmatch(pattern, name, flags=re.IGNORECASE) for pattern in patterns)


TUNED = (r"multilingual-e5-.*", r"mt0-.*")
"""Models that were tuned further on texts of other languages: E5 on a billion pairs of texts, those of NLLB and mC4
among them (Wang et al., arXiv:2402.05672), mT0 on xP3 (Muennighoff et al., ACL 2023)."""
OWNERS = ("", "FacebookAI", "facebook", "google", "google-bert", "distilbert", "bigscience", "microsoft", "intfloat")
"""Who published the models above; old names such as `xlm-roberta-base` have no owner."""
