"""SIB-200: topics of 1,004 sentences in 205 languages (Adelani et al. 2024)."""

from pathlib import Path

from datamodules.datasets.base import ClassificationDataset


class Sib200(ClassificationDataset):
    """701, 99 and 204 sentences in each language, translations of each other by `index_id`."""

    name = "sib200"
    hub_id = "Davlan/sib200"
    configs = {code: code for code in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split()}
    parallel = True
    columns = ("index_id", "category", "text")
    id_column, label_column = "index_id", "category"
    labels = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
