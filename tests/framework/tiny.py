"""Small files for whole experiments: an encoder, texts in three languages with and without labels, an experiment."""

from __future__ import annotations

import copy
import io
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import yaml
from rich.console import Console
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from datamodules.datasets.sib200 import Sib200
from framework.execution.runner import run_experiment
from framework.planning.plan import EvaluateStage, Plan, plan_experiment
from framework.reports.compare.final_table import print_final_table
from framework.results.run_folder import Control, LanguageResult, Predictions, RunFolder
from framework.store.store import Store
from tests.modules import tiny

ROOT = Path(__file__).parents[2]
SOURCE, TARGETS = "eng_Latn", ("swh_Latn", "hau_Latn")
LANGUAGES = (SOURCE, *TARGETS)
LABELS = Sib200.labels
ROWS = {"train": 28, "validation": 14, "test": 14}

EXPERIMENT: dict[str, Any] = {
    "name": "tiny",
    "backbone": {"name": "", "precision": "32"},
    "combination": {
        "language": {"prompt": {"length": 3}},
        "task": {"adapter": {"reduction_factor": 8}},
    },
    "data": {"name": "sib200", "path": "", "max_length": 24},
    "languages": {"source": [SOURCE], "targets": list(TARGETS)},
    "stages": {
        "language": {
            "objective": {"alignment": {"parallel": {"dataset": "sib200", "path": "${data.path}", "max_length": 24}}},
            "training": {"steps": 2, "optimizer": {"lr": 0.05}},
            "batch_size": 4,
        },
        "task": {
            "training": {"steps": 4, "optimizer": {"lr": 0.01}},
            "batch_size": 4,
            "validate_every": 2,
            "answer": {"classification_head": {"dropout": 0.0}},
        },
    },
    "seeds": [0],
    "trainer": {"accelerator": "cpu"},
    "tracking": {"mode": "off"},
    "store": "",
    "runs": "",
}
"""A language prompt under a task adapter, in a few steps."""
LONG: dict[str, Any] = {
    "stages.language.training.steps": 100,
    "trainer.checkpoint_every": 0,
    "languages.targets": ["swh_Latn"],
}
"""A change of it: a language stage that is long enough to be interrupted, with a checkpoint after each step."""


def build_encoder(folder: Path, *, lm_head: bool = True, **settings: Any) -> Path:
    """Writes an encoder without dropout, in a fresh folder."""
    tiny.build(folder, "xlm-roberta", dropout=0.0, **settings)
    if not lm_head:
        from safetensors.torch import load_file, save_file

        weights = folder / "model.safetensors"
        kept = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith("lm_head")}
        save_file(kept, weights, metadata={"format": "pt"})
    return folder


def join_pairs(backbone: Path) -> Path:
    """Makes the tokenizer of a backbone put a special token between the two texts of a pair."""
    tokenizer = Tokenizer.from_file(str(backbone / "tokenizer.json"))
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(backbone / "tokenizer.json"))
    return backbone


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    """Writes rows as parquet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Reads rows of a parquet file."""
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
    return rows


def build_texts(folder: Path) -> Path:
    """Writes labelled texts in SIB-200's layout: parallel by `index_id`, each text once in all splits."""
    for place, code in enumerate(LANGUAGES):
        for split, count in ROWS.items():
            rows = []
            for number in range(count):
                label = number % len(LABELS)
                rows.append({"index_id": number, "category": LABELS[label], "text": _text(place, split, number)})
            write_rows(folder / code / f"{split}.parquet", rows)
    return folder


def build_corpus(folder: Path) -> Path:
    """Writes plain texts: `<code>/train.parquet` with a column `text`."""
    for place, code in enumerate(LANGUAGES):
        rows = [{"text": " ".join(_text(place, "corpus", 10 * row + part) for part in range(4))} for row in range(8)]
        write_rows(folder / code / "train.parquet", rows)
    return folder


def _text(language: int, split: str, number: int) -> str:
    """Three words that tell language and label, and up to eight that tell the row."""
    draw = random.Random(f"{split} {number}")
    label = number % len(LABELS)
    own = [tiny.WORDS[14 * language + 2 * label + draw.randrange(2)] for _ in range(3)]
    others = [tiny.WORDS[42 + draw.randrange(len(tiny.WORDS) - 42)] for _ in range(draw.randint(4, 8))]
    words = [*own, *others]
    draw.shuffle(words)
    return " ".join(words)


def changed(experiment: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of an experiment with the values of some dotted keys set."""
    result = copy.deepcopy(dict(experiment))
    for key, value in changes.items():
        *parents, last = key.split(".") if not key.startswith("grid.") else ("grid", key.removeprefix("grid."))
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return result


def execute_one_stage(file: Path, identity: str) -> None:
    """Carries out one stage of an experiment in as many processes as it says."""
    command = [sys.executable, "-m", "framework.execution.runner", str(file), "[]", identity]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)


@dataclass(frozen=True)
class Workspace:
    """A folder where a test writes experiments, plans them and runs them."""

    folder: Path
    encoder: Path
    texts: Path
    corpus: Path

    @property
    def experiment(self) -> dict[str, Any]:
        """The tiny experiment, with its files in this folder."""
        here = {
            "backbone.name": str(self.encoder),
            "data.path": str(self.texts),
            "store": str(self.folder / "store"),
            "runs": str(self.folder / "runs"),
        }
        return changed(EXPERIMENT, here)

    @property
    def masked(self) -> dict[str, Any]:
        """A change: the language stage learns from masked plain text, of the source language too."""
        return {"stages.language.objective": {"masked": self.text}}

    @property
    def text(self) -> dict[str, Any]:
        """The settings of masked language modelling on the plain texts."""
        return {"text": {"dataset": "texts", "path": str(self.corpus), "max_length": 24}}

    @property
    def store(self) -> Store:
        """The component store."""
        return Store(self.folder / "store")

    def write(self, changes: Mapping[str, Any] | None = None, name: str = "experiment.yaml") -> Path:
        """Writes the tiny experiment with some dotted keys set."""
        file = self.folder / name
        text = yaml.safe_dump(changed(self.experiment, changes or {}), sort_keys=False, width=1000)
        file.write_text(text, encoding="utf-8")
        return file

    def plan(self, changes: Mapping[str, Any] | None = None) -> Plan:
        """Plans the experiment with some dotted keys set."""
        return plan_experiment(self.write(changes), [])

    def run(self, changes: Mapping[str, Any] | None = None) -> str:
        """Runs the experiment with some dotted keys set; returns what it printed."""
        console = Console(file=io.StringIO(), width=160)
        print_final_table(run_experiment(self.write(changes), [], console), console)
        return console.file.getvalue()

    def files(self) -> dict[str, tuple[int, int]]:
        """Names every file below the folder, but for YAML and claims, with what tells whether it was written anew."""
        paths = (path for path in self.folder.rglob("*") if path.is_file() and not path.name.endswith(".claim"))
        found = [path for path in paths if path.parent != self.folder]
        return {str(file.relative_to(self.folder)): (file.stat().st_mtime_ns, file.stat().st_ino) for file in found}

    def copy_of(self, folder: Path, name: str) -> Path:
        """Copies a folder of the shared files here, to be changed."""
        return Path(shutil.copytree(folder, self.folder / name))


def runs(plan: Plan) -> list[RunFolder]:
    """Returns the run folders of a plan, in its order."""
    return [stage.folder for stage in plan.of_type(EvaluateStage)]


def outcome(run: RunFolder) -> dict[tuple[Control, str], tuple[LanguageResult, list[Any]]]:
    """Returns all that a run found, by control and language."""
    return {
        (result.control, result.language): (result, rows(run.predictions(result.control, result.language)))
        for result in run.results()
    }


def rows(predictions: Predictions) -> list[tuple[str, str, str, float]]:
    """Returns id, gold, predicted label and probability of each example."""
    columns = (predictions.id, predictions.gold, predictions.predicted, predictions.confidence.tolist())
    return list(zip(*columns, strict=True))


def command_line(*words: str | Path, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `modulingua` (or some code) in a process of its own, from the root of the checkout."""
    return subprocess.run(
        _program(words, code), cwd=ROOT, env=_environment(environment), capture_output=True, text=True
    )


def start(*words: str | Path, code: str | None = None, **environment: str) -> subprocess.Popen[str]:
    """Starts what `command_line` runs, in a process group that can be signalled as a whole."""
    return subprocess.Popen(
        _program(words, code),
        cwd=ROOT,
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _program(words: tuple[str | Path, ...], code: str | None) -> list[str]:
    return [sys.executable, *(["-m", "framework.cli"] if code is None else ["-c", code]), *map(str, words)]


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"} | changes
