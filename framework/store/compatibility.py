"""What task components were trained to answer: two heads of equal shape may tell other labels apart."""

from dataclasses import dataclass
from typing import Any, Self

from datamodules import LabelledDataset
from framework.answers import Answer
from framework.identity import plain
from framework.store.store import Passport, Store
from modules import BackboneInfo, Family


def answers_of(dataset: LabelledDataset, answer: Answer) -> dict[str, Any]:
    """Returns what a passport says of it: the task, the labels in the order of the head, and how it is answered."""
    described: dict[str, Any] = plain({"task": dataset.task, "labels": dataset.labels, "answer": answer.recipe})
    return described


@dataclass(frozen=True)
class TaskSignature:
    """What task components must answer in an experiment."""

    answers: dict[str, Any]
    """See `answers_of`."""
    head: int
    """Parameters of the head that answers; 0 where none does."""
    family: Family
    """The backbone's."""

    @classmethod
    def of(cls, dataset: LabelledDataset, answer: Answer, info: BackboneInfo) -> Self:
        """Returns what is asked of a backbone with a dataset."""
        return cls(answers_of(dataset, answer), answer.parameters(dataset.labels, info), info.family)

    def incompatibility(self, store: Store, passport: Passport) -> str | None:
        """Says why task components of the store cannot answer it, or None where they can.

        Where the passport does not tell (imported, or of an older version), they can if no head is among them, and none
        answers: all that a template asks for stands in the experiment.

        Raises:
            UserError: Their weights cannot be read.
        """
        if reason := refuse_unknown_head(store, passport):
            return reason
        for what, mine in self.answers.items() if passport.answers else ():
            theirs = passport.answers.get(what)
            if theirs != mine and not (what == "answer" and _is_former_name(theirs, mine)):
                return f"{passport.id} was trained for the {what} {theirs}; here it is {mine}"
        held = store.head_size(passport.id) if self.head else 0
        if held == self.head:
            return None
        if held:
            return f"{passport.id} holds a head of {held:,} parameters; this task's head has {self.head:,}"
        in_words = ", or answer in words (stages.task.answer: label_words or generation)"
        way_out = "" if self.family == "encoder" else in_words
        return f"{passport.id} holds no head, and a head answers here: take one that was trained{way_out}"


def refuse_unknown_head(store: Store, passport: Passport) -> str | None:
    """Says that nobody knows the labels of a head, where there is such a one."""
    if not passport.answers and store.head_size(passport.id):
        return f"{passport.id} has a head, and its passport does not say for which labels: train it again"
    return None


def _is_former_name(theirs: Any, mine: Any) -> bool:
    """Whether two answers differ only in that earlier versions wrote a class of the user's own without its path."""
    return isinstance(theirs, list) and [mine[0].rpartition(".")[2], *mine[1:]] == theirs
