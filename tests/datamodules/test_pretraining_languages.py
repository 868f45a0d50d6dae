"""What is known of languages beside their names: pretraining corpora and classes of resources."""

from __future__ import annotations

import pytest

from datamodules import LANGUAGES, PRETRAINING_TEXT, DataError
from datamodules.languages.pretraining_languages import (
    PRETRAINING_CORPORA,
    corpus_of_model,
    pretraining_corpus,
    was_tuned,
)
from datamodules.languages.resources import CLASSES, resource_class


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
    codes = PRETRAINING_CORPORA[corpus].codes
    assert len(codes) == len(set(codes)) == languages


def test_a_list_is_of_our_languages() -> None:
    seen = PRETRAINING_CORPORA["cc100"].languages
    assert {"swh_Latn", "hau_Latn", "zho_Hans", "zho_Hant", "arb_Arab", "nob_Latn", "gaz_Latn"} <= seen
    assert not seen & {"yor_Latn", "ibo_Latn", "arb_Latn", "arz_Arab", "nno_Latn", "qaa_Latn"}
    for corpus in PRETRAINING_CORPORA.values():
        assert corpus.languages <= LANGUAGES.keys()
        # Only what no dataset here has may be left out.
        assert len(corpus.languages) >= len(corpus.codes) - 16


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
        ("facebook/xglm-7.5B", "CC100-XL"),
        ("facebook/mbart-large-50-many-to-many-mmt", "the 50 languages of mBART-50"),
        ("google-bert/bert-base-multilingual-cased", "the 104 largest Wikipedias"),
    ],
)
def test_published_models_are_known(model: str, corpus: str) -> None:
    found = corpus_of_model(model)
    assert found is not None
    assert found.name == corpus


@pytest.mark.parametrize(
    "model",
    [
        "me/mt5-small",
        "me5",
        "/models/xlm-roberta-base",
        "google/umt5-small",
        "bert-base-cased",
        "facebook/xglm-4.5B",  # of 134 languages
    ],
)
def test_other_models_are_not(model: str) -> None:
    assert corpus_of_model(model) is None


def test_an_unknown_corpus_leads_to_the_nearest() -> None:
    message = r"unknown pretraining corpus 'cc-100'; did you mean 'cc100'\? \(known: cc100, mc4"
    with pytest.raises(DataError, match=message):
        pretraining_corpus("cc-100")


def test_models_that_were_tuned_further_are_known() -> None:
    assert was_tuned("intfloat/multilingual-e5-base@abc1234")
    assert was_tuned("bigscience/mt0-small")
    assert not any(was_tuned(model) for model in ("FacebookAI/xlm-roberta-base", "google/mt5-small"))


def test_the_text_of_xlm_r() -> None:
    text = PRETRAINING_TEXT["xlm-r"]
    assert text.keys() == PRETRAINING_CORPORA["cc100"].languages
    # The table has Burmese with and without Zawgyi, which tell us apart: Uyghur's released text is as large.
    assert text["mya_Mymr"] == text["uig_Arab"] == 0.4


def test_the_classes_have_the_size_that_their_study_says() -> None:
    codes = {name: codes.split() for name, codes in CLASSES.items()}
    sizes = {name: len(of_class) for name, of_class in codes.items()}
    assert sizes.pop("1") <= 222
    assert sizes == {"5": 7, "4": 18, "3": 28, "2": 19 - len(["pnb", "kok"])}
    everything = sum(codes.values(), [])
    assert len(everything) == len(set(everything))
    assert set(everything) - {known.iso639_3 for known in LANGUAGES.values()} == {"lat"}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("eng_Latn", "5"),
        ("arb_Arab", "5"),
        ("arb_Latn", None),  # the Arabic text that was counted is in Arabic script
        ("min_Arab", None),
        ("min_Latn", "1"),
        ("zho_Hant", "5"),
        ("eus_Latn", "4"),
        ("zsm_Latn", "3"),
        ("swh_Latn", "2"),
        ("hau_Latn", "2"),
        ("sot_Latn", "1"),
        ("quy_Latn", "1"),
        ("bbj_Latn", "0"),
        ("qaa_Latn", None),
        ("xqz_Latn", None),
    ],
)
def test_resource_classes(code: str, found: str | None) -> None:
    assert resource_class(code) == found


def test_a_class_is_of_one_script_or_of_all_that_have_a_wikipedia() -> None:
    by_language: dict[str, set[str]] = {}
    for one in LANGUAGES.values():
        if (resource_class(one.code) or "0") != "0":
            by_language.setdefault(one.iso639_3, set()).add(one.code)
    several = {language for language, codes in by_language.items() if len(codes) > 1}
    assert several == {"zho"}
