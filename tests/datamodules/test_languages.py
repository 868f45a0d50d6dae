from __future__ import annotations

import pytest

from datamodules import DATASETS, LANGUAGES, DataError, language
from datamodules.languages.table import nearest_languages


def test_a_language_is_known_by_its_code() -> None:
    swahili = language("swh_Latn")
    assert (swahili.name, swahili.script, swahili.iso639_3) == ("Swahili", "Latn", "swh")
    assert (swahili.family, swahili.wikipedia) == ("Atlantic-Congo", "sw")
    assert swahili.all_codes == ("swh_Latn", "swh", "swa", "sw")


def test_every_language_has_a_well_formed_code_a_name_and_a_family() -> None:
    assert len(LANGUAGES) == 225
    for code, known in LANGUAGES.items():
        assert code == known.code == f"{known.iso639_3}_{known.script}"
        assert len(known.iso639_3) == 3
        assert known.script.istitle()
        assert known.name
        assert known.family
    assert len({known.name for known in LANGUAGES.values()}) == len(LANGUAGES)


def test_every_dataset_speaks_of_known_languages() -> None:
    for name, dataset in DATASETS.items():
        unknown = set(getattr(dataset, "configs", ())) - set(LANGUAGES)
        assert not unknown, name


@pytest.mark.parametrize("other", ["swa", "swa_Latn", "sw", "swh", "Swahili", "swahili", "SWH_LATN"])
def test_other_names_of_a_language_lead_to_its_code(other: str) -> None:
    with pytest.raises(DataError, match=r"unknown language '.*'; nearest: swh_Latn \(Swahili\)$"):
        language(other)


def test_a_misspelling_leads_to_several_languages() -> None:
    with pytest.raises(DataError, match=r"nearest: .*hau_Latn \(Hausa\)"):
        language("hau_Lat")
    assert "yor_Latn (Yoruba)" in nearest_languages("Yorubaa")


def test_only_languages_asked_for_are_suggested() -> None:
    assert nearest_languages("swa", among=["hau_Latn"]) == ""
    assert nearest_languages("qqqqqqqqqq") == ""
