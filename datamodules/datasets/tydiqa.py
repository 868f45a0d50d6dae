"""TyDi QA, gold passage task: questions of people who wanted to know, in nine languages (Clark et al. 2020)."""

from typing_extensions import override

from datamodules.datasets.base import TEST, TRAIN
from datamodules.datasets.questions import QuestionDataset
from datamodules.errors import RowError
from datamodules.sources.row import Rows


class TydiQa(QuestionDataset):
    """49,881 training and 5,077 test questions, not translated; what is tested on is the published validation split.

    All languages share the same files; a row's id begins with the name of its language, such as `swahili-…`.
    """

    name = "tydiqa"
    hub_id = "google-research-datasets/tydiqa"
    configs = {
        "arb_Arab": "arabic", "ben_Beng": "bengali", "eng_Latn": "english", "fin_Latn": "finnish",
        "ind_Latn": "indonesian", "kor_Hang": "korean", "rus_Cyrl": "russian", "swh_Latn": "swahili",
        "tel_Telu": "telugu",
    }
    splits = {TRAIN: "train", TEST: "validation"}

    @override
    def place_of(self, language: str, split: str) -> tuple[str, str]:
        return "secondary_task", super().place_of(language, split)[1]

    @override
    def rows(self, language: str, split: str) -> Rows:
        beginning = f"{self.config_of(language)}-"
        for row in super().rows(language, split):
            if isinstance(row, RowError) or str(row["id"]).startswith(beginning):
                yield row

    def fingerprint(self, language: str, split: str) -> str:
        """That of the file, with the language."""
        return f"{super().fingerprint(language, split)} {self.config_of(language)}"
