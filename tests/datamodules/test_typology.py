"""Distances between languages: against what others have published, and open about what nobody has."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from datamodules import DISTANCES, LANGUAGES, PRETRAINING_TEXT, DataError, typology
from datamodules.languages.typology import Typology

HALF_THE_EARTH = 20_015
"""Kilometres."""


def test_distances_are_those_of_urielplus() -> None:
    # urielplus.URIELPlus().new_distance(kind, ["eng", other]), version 1.3.2, nothing integrated or imputed
    published = {
        "fra_Latn": {"syntactic": 0.4204, "phonological": 0.4576, "inventory": 0.4753, "featural": 0.4542},
        "deu_Latn": {"syntactic": 0.3582, "phonological": 0.3695, "inventory": 0.4364, "featural": 0.4033},
        "hau_Latn": {"syntactic": 0.4154, "phonological": 0.4270, "inventory": 0.5337, "featural": 0.4810},
    }
    for code, wanted in published.items():
        found = typology().distances("eng_Latn", code)
        assert {kind: found[kind] for kind in wanted} == pytest.approx(wanted, abs=6e-5)


def test_geographic_distance_is_the_way_on_the_globe() -> None:
    def kilometres(first: str, second: str) -> float:
        return (typology().distances(first, second)["geographic"] or 0) * HALF_THE_EARTH

    assert 400 < kilometres("eng_Latn", "fra_Latn") < 800  # the English Midlands to the middle of France
    assert kilometres("eng_Latn", "mri_Latn") == pytest.approx(18_500, abs=800)  # to New Zealand, nearly all the way


def test_nearer_relatives_are_nearer_by_descent() -> None:
    def genetic(code: str) -> float:
        found = typology().distances("eng_Latn", code)["genetic"]
        assert found is not None
        return found

    assert genetic("deu_Latn") < genetic("fra_Latn") < genetic("hau_Latn") == 1
    assert genetic("eus_Latn") == 1, "an isolate is related to nobody"
    assert typology().distances("eus_Latn", "eus_Latn")["genetic"] == 0


@pytest.mark.parametrize("code", ["eng_Latn", "yor_Latn", "kor_Hang"])
def test_a_language_is_at_no_distance_from_itself(code: str) -> None:
    assert set(typology().distances(code, code).values()) <= {0.0, None}


def test_distances_are_the_same_both_ways_and_between_0_and_1() -> None:
    for other in ("swh_Latn", "tha_Thai", "quy_Latn"):
        there, back = typology().distances("eng_Latn", other), typology().distances(other, "eng_Latn")
        assert there == back
        assert all(0 < value <= 1 for value in there.values() if value is not None)


def test_what_nobody_has_attested_is_none() -> None:
    assert set(typology().distances("eng_Latn", "qaa_Latn").values()) == {None}, "a synthetic language"
    slovak = typology().distances("eng_Latn", "slk_Latn")
    unknown = [kind for kind in DISTANCES if slovak[kind] is None]
    assert unknown == ["syntactic", "phonological", "inventory", "featural"]
    # Three features are known of Tunisian Arabic: enough for a number, not for a distance.
    assert typology().distances("eng_Latn", "aeb_Arab")["syntactic"] is None


def test_scripts_play_no_part() -> None:
    here = typology()
    assert here.distances("eng_Latn", "arb_Arab") == here.distances("eng_Latn", "arb_Latn")


def test_an_artificial_language_has_no_descent() -> None:
    assert typology().distances("eng_Latn", "epo_Latn")["genetic"] is None


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install 'urielplus"):
        typology.__wrapped__()
    with pytest.raises(DataError, match=r"not the data of urielplus"):
        Typology(tmp_path)


def test_pretraining_text_is_of_known_languages() -> None:
    assert PRETRAINING_TEXT["xlm-r"].keys() <= LANGUAGES.keys()
    assert PRETRAINING_TEXT["xlm-r"]["eng_Latn"] == max(PRETRAINING_TEXT["xlm-r"].values()) == 300.8
    assert "yor_Latn" not in PRETRAINING_TEXT["xlm-r"]
