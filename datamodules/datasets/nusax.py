"""NusaX: sentiment in ten local languages of Indonesia, Indonesian and English (Winata et al. 2023)."""

from datamodules.datasets.base import ClassificationDataset


class NusaX(ClassificationDataset):
    """500, 100 and 400 sentences in each language, translations of each other by `id`."""

    name = "nusax"
    hub_id = "indonlp/NusaX-senti"
    hub_revision = "refs/convert/parquet"
    configs = {
        "ace_Latn": "ace", "ban_Latn": "ban", "bbc_Latn": "bbc", "bjn_Latn": "bjn", "bug_Latn": "bug",
        "eng_Latn": "eng", "ind_Latn": "ind", "jav_Latn": "jav", "mad_Latn": "mad", "min_Latn": "min",
        "nij_Latn": "nij", "sun_Latn": "sun",
    }
    parallel = True
    columns = ("id", "text", "label")
    id_column = "id"
    labels = ("negative", "neutral", "positive")
