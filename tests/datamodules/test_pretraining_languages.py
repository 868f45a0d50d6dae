"""What is known of languages beside their names: pretraining corpora and classes of resources."""

from __future__ import annotations

import pytest

from datamodules import LANGUAGES, DataError
from datamodules.pretraining_languages import PRETRAINING_CORPORA, corpus_of_model, pretraining_corpus
from datamodules.resources import CLASSES, resource_class


@pytest.mark.parametrize(
    ("corpus", "languages"),
    [
        ("cc100", 94),  # 100 with five in Latin letters and Burmese in Zawgyi; Chinese counts twice there too
        ("mc4", 101 + 1),  # Chinese, which is listed once
        ("wikipedia104", 104),
        ("roots", 46),
        ("cc100-xl", 30 + 1),
        ("mbart50", 52),
    ],
)
def test_a_list_is_as_long_as_its_authors_say(corpus: str, languages: int) -> None:
    codes = PRETRAINING_CORPORA[corpus].codes.split()
    assert len(codes) == len(set(codes)) == languages


def test_a_list_is_of_our_languages() -> None:
    seen = PRETRAINING_CORPORA["cc100"].languages
    assert {"swh_Latn", "hau_Latn", "zho_Hans", "zho_Hant", "arb_Arab", "nob_Latn", "gaz_Latn"} <= seen
    assert not seen & {"yor_Latn", "ibo_Latn", "arb_Latn", "arz_Arab", "nno_Latn", "qaa_Latn"}
    for corpus in PRETRAINING_CORPORA.values():
        assert corpus.languages <= LANGUAGES.keys()
        # Only what no dataset here has may be left out.
        assert len(corpus.languages) >= len(corpus.codes.split()) - 16


@pytest.mark.parametrize(
    ("model", "corpus"),
    [
        ("xlm-roberta-base@e73636d", "CC-100"),
        ("FacebookAI/xlm-roberta-large", "CC-100"),
        ("intfloat/multilingual-e5-small@abc1234", "CC-100"),
        ("google/mt5-base", "mC4"),
        ("bigscience/bloom-560m", "ROOTS"),
        ("bigscience/bloom", "ROOTS"),
        ("facebook/xglm-564M", "CC100-XL"),
        ("facebook/mbart-large-50-many-to-many-mmt", "the 50 languages of mBART-50"),
        ("google-bert/bert-base-multilingual-cased", "the 104 largest Wikipedias"),
    ],
)
def test_published_models_are_known(model: str, corpus: str) -> None:
    found = corpus_of_model(model)
    assert found is not None
    assert found.name == corpus


@pytest.mark.parametrize(
    "model", ["me/mt5-small", "me5", "/models/xlm-roberta-base", "google/umt5-small", "bert-base-cased"]
)
def test_other_models_are_not(model: str) -> None:
    assert corpus_of_model(model) is None


def test_an_unknown_corpus_leads_to_the_nearest() -> None:
    message = r"unknown pretraining corpus 'cc-100'; did you mean 'cc100'\? \(known: cc100, mc4"
    with pytest.raises(DataError, match=message):
        pretraining_corpus("cc-100")


def test_the_classes_have_the_size_that_their_study_says() -> None:
    codes = {name: codes.split() for name, codes in CLASSES.items()}
    assert {name: len(of_class) for name, of_class in codes.items()} == {"5": 7, "4": 18, "3": 28}
    everything = sum(codes.values(), [])
    assert len(everything) == len(set(everything))
    assert set(everything) - {known.iso639_3 for known in LANGUAGES.values()} == {"lat"}


def test_resource_classes() -> None:
    classes = ["eng_Latn", "zho_Hant", "eus_Latn", "zsm_Latn", "swh_Latn", "bbj_Latn"]
    assert [resource_class(code) for code in classes] == ["5", "5", "4", "3", "0-2", "0-2"]
    assert (resource_class("qaa_Latn"), resource_class("xqz_Latn")) == (None, None)
