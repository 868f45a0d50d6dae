"""SIB-200: topics of 1,004 sentences in 205 languages (Adelani et al. 2024)."""

from __future__ import annotations

from datamodules.datasets.base import ClassificationDataset, Example
from datamodules.datasets.synthetic import SYNTHETIC_LANGUAGES
from datamodules.languages.table import LANGUAGES
from datamodules.sources.row import Row

_AMERICAS = {"bzd_Latn", "cni_Latn", "hch_Latn", "nah_Latn", "oto_Latn", "shp_Latn", "tar_Latn"}
_OTHER_DATASETS_LANGUAGES = {
    *("arq_Arab", "bbc_Latn", "bbj_Latn", "mad_Latn", "nij_Latn", "pcm_Latn"),
    *_AMERICAS,
    *SYNTHETIC_LANGUAGES,
}


class Sib200(ClassificationDataset):
    """701, 99 and 204 sentences in each language, translations of each other by `index_id`."""

    name = "sib200"
    hub_id = "Davlan/sib200"
    configs = {code: code for code in LANGUAGES if code not in _OTHER_DATASETS_LANGUAGES}
    parallel = True
    columns = ("index_id", "category", "text")
    labels = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """See `Dataset.to_example`."""
        return Example(row.name("index_id"), row.text("text"), language, self.label_index(row, "category"))
