"""SQuAD 1.1: questions about paragraphs of English Wikipedia articles (Rajpurkar et al. 2016)."""

from datamodules.datasets.base import TEST, TRAIN
from datamodules.datasets.questions import QuestionDataset


class Squad(QuestionDataset):
    """87,599 training and 10,570 test questions in English.

    What is tested on is the published validation split. It holds XQuAD's English rows, so it validates nothing: hold
    out a part of the training split.
    """

    name = "squad"
    hub_id = "rajpurkar/squad"
    configs = {"eng_Latn": "plain_text"}
    splits = {TRAIN: "train", TEST: "validation"}
