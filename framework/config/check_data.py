"""Refuses labelled data and languages that cannot be used, or that would leak the test data."""

import contextlib
from collections.abc import Iterator

from datamodules import LANGUAGES, DataError, DatasetConfig, LabelledDataset, labelled_dataset, language
from datamodules.datasets.base import TEST
from datamodules.datasets.overlap import find_leak, training_contents
from datamodules.errors import RowErrors, listed
from framework.config.draft import AbsentError, Draft
from framework.validation import Problem


def check_data(draft: Draft) -> Iterator[Problem]:
    """The dataset has labels, and files of the user's own can be read."""
    if draft.data is None:
        return
    try:
        dataset = labelled_dataset(draft.data)
    except DataError as error:
        yield ("data", "name"), str(error)
        return
    try:
        dataset.verify()
    except RowErrors as error:
        for line in listed(error.errors):
            yield ("data",), line
    except DataError as error:
        yield ("data",), str(error)


def check_language_codes(draft: Draft) -> Iterator[Problem]:
    """Every code names a language, once."""
    languages = draft.languages
    for field, codes in (("source", languages.source), ("targets", languages.targets)):
        for number, code in enumerate(codes):
            if code == "all" and field == "targets" and len(codes) == 1:
                continue
            try:
                language(code)
            except DataError as error:
                yield ("languages", field, number), str(error)
            if code in codes[:number]:
                yield ("languages", field, number), f"{code} is given twice"
    if not languages.targets:
        yield ("languages", "targets"), "names no language to test on"


def check_languages_of_data(draft: Draft) -> Iterator[Problem]:
    """The dataset has the splits that are needed of every language."""
    data, languages = draft.data, draft.languages
    if data is None and languages.targets == ["all"]:
        yield ("languages", "targets"), "[all] means the languages of the dataset, and there is no data"
    dataset, answer = draft.dataset, draft.answer
    _ = draft.combination, draft.backbone  # their own mistakes come first
    assert data is not None
    try:
        trains = draft.trains
    except AbsentError:
        trains = True  # with most answers, and the backbone, which cannot be used, is reported anyway
    if trains and not languages.source:
        yield ("languages", "source"), "names no language to learn the task in"
    if data.translated and not languages.source:
        yield ("languages", "source"), "names no language that the test texts are translated into"
    splits_of = {"source": ("train", "validation") if trains else (), "targets": ("test",)}
    for field, codes in (("source", languages.source), ("targets", languages.targets)):
        for number, code in enumerate(dataset.languages if codes == ["all"] else codes):
            key = ("languages", field) if codes == ["all"] else ("languages", field, number)
            if code not in LANGUAGES:
                continue
            try:
                for split in splits_of[field]:
                    dataset.fingerprint(code, split)
                if field == "targets" and data.translated:
                    next(dataset.examples(code, "test"), None)  # the column may be missing
                if field == "targets" and not trains:
                    for shown, split in answer.demonstration_splits(languages.source, code):
                        dataset.fingerprint(shown, split)
            except DataError as error:
                yield key, f"{error}{_way_out(data, dataset, code) if field == 'source' else ''}"


def _way_out(data: DatasetConfig, dataset: LabelledDataset, code: str) -> str:
    """Says what to write where a dataset has only one of the splits that train and choose."""
    if data.held_out is not None:
        return ""
    there = []
    for split in ("train", "validation"):
        with contextlib.suppress(DataError):
            dataset.fingerprint(code, split)
            there.append(split)
    if len(there) != 1:
        return ""
    setting = "data: {train_split: validation, held_out: 0.2}" if there == ["validation"] else "data: {held_out: 0.2}"
    return f"; {setting} trains on a part of the {there[0]} split and validates on the rest"


def check_leaks(draft: Draft) -> Iterator[Problem]:
    """Hardly any of a source language's test texts are among those that train or choose the task components."""
    dataset, targets = draft.dataset, draft.targets
    for number, code in enumerate(draft.languages.source):
        if code not in targets or code not in LANGUAGES:
            continue
        try:
            leak = find_leak(dataset, code)
        except DataError:
            continue  # said elsewhere: the language lacks a split (here), or a row cannot be used (data_check.py)
        if leak and not leak.is_tolerable:
            yield (
                ("languages", "source", number),
                f"{leak}: as a target its score would be leaked; remove it from languages.targets or correct the data",
            )


def check_shared_splits(draft: Draft) -> Iterator[Problem]:
    """No language is tested on what another language is trained on."""
    dataset, languages = draft.dataset, draft.languages
    known = set(dataset.languages)
    learnt = training_contents(dataset, [code for code in languages.source if code in LANGUAGES])
    for number, code in enumerate(draft.targets):
        if code not in known:
            continue  # said elsewhere, as it is where a language lacks a split
        with contextlib.suppress(DataError):
            source, split = learnt.get(dataset.content(code, TEST), (code, ""))
            if source != code:
                key = ("languages", "targets") if languages.targets == ["all"] else ("languages", "targets", number)
                yield key, f"the test split of {code} is the {split} split of {source}: its score would be leaked"
