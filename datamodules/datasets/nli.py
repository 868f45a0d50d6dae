"""What the datasets of natural language inference share: does a premise entail a hypothesis?"""

from datamodules.datasets.base import ClassificationDataset


class NaturalLanguageInference(ClassificationDataset):
    """Pairs of a premise and a hypothesis, in the columns of XNLI; a label is a name or its number."""

    pairs = True
    text_columns = text_names = ("premise", "hypothesis")
    numbered_labels = True
    columns = ("premise", "hypothesis", "label")
    labels = ("entailment", "neutral", "contradiction")
