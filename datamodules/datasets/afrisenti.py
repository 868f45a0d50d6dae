"""AfriSenti: sentiment of tweets in 14 languages of Africa (Muhammad et al. 2023)."""

from datamodules.datasets.base import TRAIN, ClassificationDataset


class AfriSenti(ClassificationDataset):
    """Tweets, not parallel; Oromo and Tigrinya have no training split, by the design of the shared task."""

    name = "afrisenti"
    hub_id = "masakhane/afrisenti"
    configs = {
        "amh_Ethi": "amh", "arq_Arab": "arq", "ary_Arab": "ary", "gaz_Latn": "orm", "hau_Latn": "hau",
        "ibo_Latn": "ibo", "kin_Latn": "kin", "pcm_Latn": "pcm", "por_Latn": "por", "swh_Latn": "swa",
        "tir_Ethi": "tir", "tso_Latn": "tso", "twi_Latn": "twi", "yor_Latn": "yor",
    }
    absent = {"gaz_Latn": (TRAIN,), "tir_Ethi": (TRAIN,)}
    columns = ("tweet", "label")
    quotes = False  # the published TSV files hold the tweets as they are
    text_columns = text_names = ("tweet",)
    labels = ("positive", "neutral", "negative")
