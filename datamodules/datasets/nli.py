"""What the datasets of natural language inference share: does a premise entail a hypothesis?"""

from typing_extensions import override

from datamodules.datasets.base import ClassificationDataset, Example
from datamodules.sources.row import Row


class NaturalLanguageInference(ClassificationDataset):
    """Pairs of a premise and a hypothesis, in the columns of XNLI; a label is a name or its number."""

    pairs = True
    text_names = ("premise", "hypothesis")
    numbered_labels = True
    columns = ("premise", "hypothesis", "label")
    labels = ("entailment", "neutral", "contradiction")

    @override
    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        index = self.label_index(row, "label")
        return Example(row_id, row.text("premise"), language, index, second_text=row.text("hypothesis"))
