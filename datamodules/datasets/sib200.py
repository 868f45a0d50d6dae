"""SIB-200: topics of 1,004 sentences in 205 languages (Adelani et al. 2024)."""

from pathlib import Path

from typing_extensions import override

from datamodules.datasets.base import ClassificationDataset, Example
from datamodules.sources.row import Row


class Sib200(ClassificationDataset):
    """701, 99 and 204 sentences in each language, translations of each other by `index_id`."""

    name = "sib200"
    hub_id = "Davlan/sib200"
    configs = {code: code for code in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split()}
    parallel = True
    columns = ("index_id", "category", "text")
    labels = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")

    @override
    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        return Example(row.name("index_id"), row.text("text"), language, self.label_index(row, "category"))
