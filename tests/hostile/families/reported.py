"""Small inputs that users of other tools reported, from the folder of published data; none where that is absent.

Each stands for its kind, which other families and tests break in more ways. The numbers 35 (adapters of PEFT), 39 (a
store of two users) and 45 (lines for `predict`) are in test_formats.py, test_files.py and the family `predict`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT
from tests.framework import tiny
from tests.hostile.case import DONE, REFUSED, Case
from tests.hostile.world import World

REPORTED = Path(os.environ.get("MODULINGUA_DATA", ROOT.parent / "shared" / "data")).with_name("cases")


class Try(NamedTuple):
    """A command that is given a reported input."""

    words: str
    codes: frozenset[int] = DONE
    says: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    for number, tries in TRIES.items():
        for one in tries if REPORTED.is_dir() else ():
            source = REPORTED / number
            variables = [f"{name}={value}" for name, value in one.environment.items()]
            yield Case(
                " ".join([f"{number}:", *variables, one.words]),
                one.words.split(),
                setup=partial(_copy, source=source, encoder=world.encoder),
                environment={"CASES_MODEL": "./encoder", **one.environment},
                codes=one.codes,
                says=one.says,
                writes=True,
            )


def _copy(folder: Path, source: Path, encoder: Path) -> None:
    """Copies an input, and puts quotes around the reference of its base, as YAML wants them between braces."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    sys.path.insert(0, str(folder))  # as PYTHONPATH would: some inputs have a dataset of their own
    tiny.join_pairs(Path(shutil.copytree(encoder, folder / "encoder")))
    base = (REPORTED / "base.yaml").read_text(encoding="utf-8")
    base = base.replace("${oc.env:CASES_MODEL}", '"${oc.env:CASES_MODEL}"')
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    for file in folder.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("../../base.yaml", "base.yaml").replace("ABSOLUTE", str(folder)), encoding="utf-8")


QA = "run exp.yaml data.max_length=32 data.stride=8 data.path"
TRIES: dict[str, tuple[Try, ...]] = {
    "03": (
        Try("run a.yaml", REFUSED, ("a.tsv, line 5: ",)),
        Try("run b.yaml", REFUSED, ("b.tsv, line 5: a quote",)),
    ),
    "07": (
        *(Try(f"run {name}.yaml", DONE, ("6.\n",)) for name in ("binary", "date", "decimal")),
        Try("run uuid.yaml", REFUSED, ("uuid.parquet, row 1: the column 'id' holds bytes that are not a text",)),
    ),
    "08": (
        Try("run exp.yaml", REFUSED, ("train.jsonl, line 5: the column 'text' holds half of a character",)),
        Try("run test.yaml", REFUSED, ("bad.jsonl, line 3: the column 'text' holds half of a character",)),
    ),
    "09": (
        Try("run label.yaml", REFUSED, ("label.jsonl, line 6: the column 'label' holds nan",)),
        Try("run text.yaml", REFUSED, ("text.jsonl, line 6: the column 'text' holds nan",)),
        Try("run null.yaml", REFUSED, ("null.jsonl, line 6: the column 'label' is empty",)),
    ),
    "10": (Try("run exp.yaml", REFUSED, ("train.jsonl, line 1: the column 'label' holds a list",)),),
    "12": (Try("run exp.yaml", REFUSED, ("2 columns are called 'label'",)),),
    "15": (Try("run exp.yaml"), Try("run within.yaml")),
    "16": tuple(Try(f"run {name}.yaml") for name in ("abs", "twice", "folder", "brackets", "up")),
    "17": tuple(Try(f"run {name}.yaml") for name in ("table", "sib", "pairs", "star")),
    "19": (
        Try("plan zh.yaml", REFUSED, ("test-zh.csv: the language 'zh' may be zho_Hans or zho_Hant",)),
        Try("plan cn.yaml", REFUSED, ("test-cn.csv: unknown language 'cn'",)),
        Try("plan two.yaml", REFUSED, ("are both of spa_Latn",)),
    ),
    "20": (Try("run exp.yaml", REFUSED, ("yor/test.parquet, row 2, word 2: the column 'tokens' holds None",)),),
    "21": tuple(
        Try(f"run {name}.yaml", REFUSED, ("is not one of the BIO scheme",))
        for name in ("bioes", "io", "suffix", "under")
    ),
    "25": (Try("run exp.yaml", REFUSED, ("9 of 21 rows", "hau/train.parquet, row 5: the sentence is empty")),),
    "26": (
        Try("run exp.yaml data.path=more", REFUSED, ("more/yor/test.parquet, row 3: there are 8 words, but 9 tags",)),
        Try("run exp.yaml data.path=unknown", REFUSED, ("yor/test.parquet, row 3, word 2: ", "'B-MISC'")),
        Try("run exp.yaml data.path=float", REFUSED, ("row 1, word 1: the column 'ner_tags' holds 1.0",)),
        Try("run exp.yaml data.path=string", REFUSED, ("row 1: the column 'tokens' holds", "not a list")),
        Try("run exp.yaml data.path=long"),
    ),
    "27": (
        Try(f"{QA}=./qa"),
        Try(f"{QA}=./nullans", REFUSED, ("validation.parquet, row 6: the question has no answer",)),
        Try(f"{QA}=./text", REFUSED, ("train.parquet, row 1: the column 'answers' holds '1887'; answers look like",)),
    ),
    "28": tuple(
        Try(f"{QA}=./{folder}", REFUSED, (f"{split}.parquet, row 2: the question has no answer",))
        for folder, split in (("qa", "validation"), ("train", "train"))
    ),
    "38": tuple(
        Try("run exp.yaml", environment=dict(word.split("=") for word in words.split()))
        for words in (
            "RANK=0 WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=29511",
            "LOCAL_RANK=0 RANK=0 WORLD_SIZE=1",
            "LOCAL_RANK=1 RANK=1 WORLD_SIZE=2",
            "NODE_RANK=1",
            "NODE_RANK=0 WORLD_SIZE=8",
            "TORCHELASTIC_RUN_ID=x GROUP_RANK=1",
            "OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1",
            "KUBERNETES_PORT=tcp://1 MASTER_ADDR=a MASTER_PORT=1 WORLD_SIZE=2 RANK=1",
        )
    ),
    "48": (
        Try("run table.yaml", REFUSED, ("pairs.csv, line 5: the column 'gold_label' holds '-'",)),
        Try("run hidden.yaml", REFUSED, ("hidden.csv, line 2: the column 'label' holds '-1'",)),
        Try("run nohyp.yaml", REFUSED, ("nohyp.csv, line 6: the column 'hypothesis' is empty",)),
        Try("run sib.yaml", REFUSED, ("spa_Latn/test.parquet, row 1: the column 'category' holds -1",)),
    ),
    "52": (
        *(Try(f"run exp.yaml data.path={name}") for name in ("num", "name", "both")),
        Try("run exp.yaml data.path=numtext", REFUSED, ("row 1: the column 'label' holds '1', which is a text",)),
        Try("run exp.yaml data.path=nullhead", REFUSED, ("3 of 45 rows", "row 1: the article is empty")),
        Try("run exp.yaml data.path=capital", REFUSED, ("'entertainment' differs only in case",)),
    ),
}
"""What is tried with each input, by its number."""
