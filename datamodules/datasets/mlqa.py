"""MLQA: questions about paragraphs of Wikipedia in seven languages (Lewis et al. 2020)."""

from typing_extensions import override

from datamodules.datasets.base import TRAIN
from datamodules.datasets.questions import QuestionDataset


class Mlqa(QuestionDataset):
    """500 to 1,150 validation and 4,500 to 11,600 test questions in each language, in the language of their context.

    The training split is SQuAD's, machine-translated, with those answers that were found again; English has none.
    """

    name = "mlqa"
    hub_id = "facebook/mlqa"
    hub_revision = "refs/convert/parquet"
    configs = {
        "arb_Arab": "ar", "deu_Latn": "de", "eng_Latn": "en", "hin_Deva": "hi", "spa_Latn": "es", "vie_Latn": "vi",
        "zho_Hans": "zh",
    }
    absent = {"eng_Latn": (TRAIN,)}
    parallel = True

    @override
    def place_of(self, language: str, split: str) -> tuple[str, str]:
        code, its_split = super().place_of(language, split)
        return (f"mlqa-translate-train.{code}" if split == TRAIN else f"mlqa.{code}.{code}"), its_split
