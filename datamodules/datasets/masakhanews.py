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

    _MISSING_LABELS = {
        "amh_Ethi": {"entertainment", "religion", "technology"},
        "eng_Latn": {"religion"},
        "fra_Latn": {"entertainment", "religion"},
        "gaz_Latn": {"business", "religion"},
        "ibo_Latn": {"technology"},
        "lin_Latn": {"entertainment", "religion", "technology"},
        "lug_Latn": {"entertainment", "technology"},
        "pcm_Latn": {"religion", "technology"},
        "run_Latn": {"technology"},
        "sna_Latn": {"entertainment", "religion", "technology"},
        "tir_Ethi": {"religion"},
        "xho_Latn": {"religion", "technology"},
        "yor_Latn": {"business", "technology"},
    }

    @override
    def labels_in(self, language: str) -> tuple[str, ...]:
        missing = self._MISSING_LABELS.get(language, set())
        return tuple(label for label in super().labels_in(language) if label not in missing)

    @override
    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        column = next((name for name in self.optional_columns if row.get(name) is not None), None)
        if column is None:
            raise row.error("there is neither a label nor a category")
        text = f"{row.text('headline')} {row.text('text')}".strip()
        return Example(row_id, text, language, self.label_index(row, column))
