"""What task components were trained to answer: two heads of equal shape may tell other labels apart."""

from typing import Any

from datamodules import LabelledDataset
from framework.answers import Answer
from framework.identity import plain
from framework.store import Passport, Store


def answers_of(dataset: LabelledDataset, answer: Answer) -> dict[str, Any]:
    """Returns what a passport says of it: the task, the labels in the order of the head, and how it is answered."""
    described: dict[str, Any] = plain(
        {"task": dataset.task, "labels": dataset.labels, "answer": [type(answer).__name__, answer]}
    )
    return described


def refuse_answers(store: Store, passport: Passport, wanted: dict[str, Any]) -> str | None:
    """Says why task components cannot answer what is asked, or None where they can.

    Where the passport does not tell (imported, or of an older version), they can if no head is among them: all that a
    template asks for stands in the experiment.

    Args:
        store: Where they are.
        passport: What they are.
        wanted: What is asked, of `answers_of`.
    """
    if not passport.answers and store.holds_head(passport.id):
        return f"{passport.id} has a head, and its passport does not say for which labels: train it again"
    for what, mine in wanted.items() if passport.answers else ():
        if (theirs := passport.answers.get(what)) != mine:
            return f"{passport.id} was trained for the {what} {theirs}; here it is {mine}"
    return None
