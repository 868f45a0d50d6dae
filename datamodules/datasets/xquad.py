"""XQuAD: a part of SQuAD's validation split in 12 languages (Artetxe, Ruder and Yogatama 2020)."""

from datamodules.datasets.base import TEST
from datamodules.datasets.questions import QuestionDataset


class Xquad(QuestionDataset):
    """1,190 questions about 240 paragraphs in each language, translated by people; nothing to train on."""

    name = "xquad"
    hub_id = "google/xquad"
    configs = {
        "arb_Arab": "xquad.ar", "deu_Latn": "xquad.de", "ell_Grek": "xquad.el", "eng_Latn": "xquad.en",
        "hin_Deva": "xquad.hi", "ron_Latn": "xquad.ro", "rus_Cyrl": "xquad.ru", "spa_Latn": "xquad.es",
        "tha_Thai": "xquad.th", "tur_Latn": "xquad.tr", "vie_Latn": "xquad.vi", "zho_Hans": "xquad.zh",
    }
    splits = {TEST: "validation"}
    parallel = True
