"""MasakhaNEWS: topics of news articles in 16 languages of Africa (Adelani et al. 2023)."""

from typing_extensions import override

from datamodules.datasets.base import ClassificationDataset, Example
from datamodules.sources.row import Row


class MasakhaNews(ClassificationDataset):
    """Headline and text of each article, not parallel; not every topic occurs in every language.

    The hub has published two schemas: a number `label`, and its name as `category`. Both are read.
    """

    name = "masakhanews"
    hub_id = "masakhane/masakhanews"
    configs = {
        "amh_Ethi": "amh", "eng_Latn": "eng", "fra_Latn": "fra", "gaz_Latn": "orm", "hau_Latn": "hau",
        "ibo_Latn": "ibo", "lin_Latn": "lin", "lug_Latn": "lug", "pcm_Latn": "pcm", "run_Latn": "run",
        "sna_Latn": "sna", "som_Latn": "som", "swh_Latn": "swa", "tir_Ethi": "tir", "xho_Latn": "xho",
        "yor_Latn": "yor",
    }
    columns = ("headline", "text")
    optional_columns = ("label", "category")
    text_names = ("article",)
    numbered_labels = True
    labels = ("business", "entertainment", "health", "politics", "religion", "sports", "technology")

    _LACKED_BY = {
        "business": "orm yor",
        "entertainment": "amh fra lin lug sna",
        "religion": "amh eng fra orm lin pcm sna tir xho",
        "technology": "amh ibo lin lug pcm run sna xho yor",
    }
    """Languages in which a label does not occur."""

    @override
    def labels_in(self, language: str) -> tuple[str, ...]:
        code = self.config_of(language)
        return tuple(label for label in self.labels if code not in self._LACKED_BY.get(label, "").split())

    @override
    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        column = next((name for name in self.optional_columns if row.get(name) is not None), None)
        if column is None:
            raise row.error("there is neither a label nor a category")
        text = f"{row.text('headline')} {row.text('text')}".strip()
        return Example(row_id, text, language, self.label_index(row, column))
