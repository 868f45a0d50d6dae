"""XNLI: natural language inference in 15 languages (Conneau et al. 2018)."""

from datamodules.datasets.base import Example
from datamodules.datasets.nli import NaturalLanguageInference


class Xnli(NaturalLanguageInference):
    """2,490 validation and 5,010 test pairs in each language, row by row translations of each other.

    Each premise has three consecutive rows, one of each label. The training split is MultiNLI,
    machine-translated but for English; not every copy has it.
    """

    name = "xnli"
    hub_id = "facebook/xnli"
    configs = {
        "arb_Arab": "ar", "bul_Cyrl": "bg", "deu_Latn": "de", "ell_Grek": "el", "eng_Latn": "en", "fra_Latn": "fr",
        "hin_Deva": "hi", "rus_Cyrl": "ru", "spa_Latn": "es", "swh_Latn": "sw", "tha_Thai": "th", "tur_Latn": "tr",
        "urd_Arab": "ur", "vie_Latn": "vi", "zho_Hans": "zh",
    }

    def group_of(self, example: Example) -> str:
        """The premise's number, the same in all languages; see `LabelledDataset.group_of`."""
        split, _, row = example.id.rpartition("-")
        return f"{split}-{int(row) // 3}"
