"""AmericasNLI: natural language inference in ten indigenous languages of the Americas (Ebrahimi et al. 2022)."""

from datamodules.datasets.base import TEST, VALIDATION
from datamodules.datasets.nli import NaturalLanguageInference


class AmericasNli(NaturalLanguageInference):
    """Up to 743 validation and 750 test pairs in each language, translated from XNLI's Spanish; nothing to train on.

    Languages differ in the rows that they lack. Three test pairs of Nahuatl have an empty premise, as published.
    """

    name = "americas_nli"
    hub_id = "nala-cub/americas_nli"
    configs = {
        "ayr_Latn": "aym", "bzd_Latn": "bzd", "cni_Latn": "cni", "grn_Latn": "gn", "hch_Latn": "hch", "nah_Latn": "nah",
        "oto_Latn": "oto", "quy_Latn": "quy", "shp_Latn": "shp", "tar_Latn": "tar",
    }
    splits = {VALIDATION: "validation", TEST: "test"}
    blank_test_texts = True
