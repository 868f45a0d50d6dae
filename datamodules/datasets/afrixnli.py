"""AfriXNLI: natural language inference in 16 languages of Africa, English and French (Adelani et al. 2024)."""

from datamodules.datasets.base import TEST, VALIDATION
from datamodules.datasets.nli import NaturalLanguageInference


class AfriXnli(NaturalLanguageInference):
    """450 validation and 600 test pairs in each language, taken from XNLI and translated; nothing to train on.

    The rows in English, French and Swahili are XNLI's own, so whatever learnt from XNLI's validation or test split
    knows them.
    """

    name = "afrixnli"
    hub_id = "masakhane/afrixnli"
    configs = {
        "amh_Ethi": "amh", "eng_Latn": "eng", "ewe_Latn": "ewe", "fra_Latn": "fra", "gaz_Latn": "orm",
        "hau_Latn": "hau", "ibo_Latn": "ibo", "kin_Latn": "kin", "lin_Latn": "lin", "lug_Latn": "lug",
        "sna_Latn": "sna", "sot_Latn": "sot", "swh_Latn": "swa", "twi_Latn": "twi", "wol_Latn": "wol",
        "xho_Latn": "xho", "yor_Latn": "yor", "zul_Latn": "zul",
    }
    splits = {VALIDATION: "validation", TEST: "test"}
