"""What the datasets of natural language inference share: does a premise entail a hypothesis?"""

from __future__ import annotations

from datamodules.dataset import ClassificationDataset, Example
from datamodules.row import Row


class NaturalLanguageInference(ClassificationDataset):
    """Pairs of a premise and a hypothesis, in the columns of XNLI; a label is a name or its number."""

    pairs = True
    columns = ("premise", "hypothesis", "label")
    labels = ("entailment", "neutral", "contradiction")

    def to_example(self, row: Row, row_id: str, language: str) -> Example:
        """See `Dataset.to_example`."""
        label = row["label"]
        if isinstance(label, int) and label in range(len(self.labels)):
            label = self.labels[label]
        index = self.label_index(label, row_id, language)
        return Example(row_id, row.text("premise"), language, index, second_text=row.text("hypothesis"))
