"""Every message of the page on troubleshooting is one that the program prints when that happens."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml

from datamodules import TaggingDataset
from framework.errors import UNAVAILABLE
from tests.framework.conftest import Modulingua, close
from tests.framework.docs.pages import DOCS, Block, blocks
from tests.framework.test_bad_input import leaking, reusing, without_head
from tests.framework.test_data_check import with_rows
from tests.framework.tiny import Workspace
from tests.hub_server import use_hub
from tests.modules import tiny

PAGE = DOCS / "troubleshooting.md"


@dataclass(frozen=True)
class Place:
    """Where somebody makes a mistake."""

    workspace: Workspace
    finished_run: Workspace
    """Has been run."""
    modulingua: Modulingua
    here: pytest.MonkeyPatch

    def says(self, *words: str | Path, code: int = 2) -> str:
        answer = self.modulingua(*words)
        assert answer.code == code, answer
        return answer.out + answer.err

    def plan(self, changes: dict[str, Any]) -> str:
        return self.says("plan", self.workspace.write(changes))


def offline(place: Place) -> str:
    place.here.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.configure_http_backend()  # a command that ran in this process has set one that knows no offline
    return place.plan({"backbone.name": "FacebookAI/no-such-model"})


def out_of_reach(place: Place) -> str:
    use_hub("http://127.0.0.1:9", place.workspace.folder / "cache", place.here)
    place.here.setattr("framework.system.network.pause", lambda seconds, where: None)
    parallel = {"dataset": "sib200", "max_length": 24}
    changes = {"data": {"name": "sib200"}, "stages.language.objective": {"alignment": {"parallel": parallel}}}
    try:
        return place.says("plan", place.workspace.write(changes), code=UNAVAILABLE)
    finally:
        huggingface_hub.configure_http_backend()


def prefix_on_modernbert(place: Place) -> str:
    folder = tiny.build(place.workspace.folder / "modernbert", "modernbert")
    return place.plan({"backbone.name": str(folder), "combination.task": {"prefix": {}}})


def diverging(place: Place) -> str:
    changes = {"stages.task.training.optimizer.lr": 1e30, "stages.task.training.steps": 20}
    return place.says("run", place.workspace.write(changes))


def unusable_rows(place: Place) -> str:
    rows = {("eng_Latn", "train"): {3: {"text": " "}}, ("swh_Latn", "test"): {0: {"category": "Sports"}}}
    return place.says("run", place.workspace.write(with_rows(place.workspace, rows)))


class Iobes(TaggingDataset):
    name = "iobes"
    hub_id = "lab/iobes"
    configs = {"eng_Latn": "en", "swh_Latn": "sw", "hau_Latn": "ha"}
    labels = ("O", "B-PER", "I-PER", "E-PER", "S-PER")


def other_scheme(place: Place) -> str:
    return place.plan({"data.name": f"{__name__}.Iobes"})


def claims(place: Place, train: str, test: str, target: str) -> str:
    """Plans an experiment on tables, of which a test file is there by the codes of two countries too."""
    for name, content in {"train.tsv": train, "test-zh.csv": test, "test-cn.csv": test, "test-swh.csv": test}.items():
        (place.workspace.folder / name).write_text(content)
    data = {"name": "table", "path": str(place.workspace.folder), "held_out": 0.25, "max_length": 24}
    data |= {"files": {"train": {"eng_Latn": "train.tsv"}, "test": "test-{language}.csv"}}
    return place.plan({"data": data, "combination.language": {}, "languages.targets": [target]})


ROWS = "text\tlabel\n" + "".join(f"w{n} w{n + 1}\t{'yes' if n % 2 else 'no'}\n" for n in range(8))
TEST = ROWS.replace("\t", ",")
STRAY = ROWS.replace("w3", '"w3').replace("w7\t", 'w7"\t')


def latin_input(place: Place) -> str:
    place.here.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("w1\ncaf\xe9\n".encode("latin-1"))))
    return place.says("predict", a_run(place.finished_run), "--language", "swh_Latn")


def damaged(place: Place) -> str:
    place.workspace.run()
    for weights in place.workspace.store.folder.rglob("components.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-8])
    return place.says("predict", a_run(place.workspace), "--language", "swh_Latn")


def closed(place: Place) -> str:
    identity = place.finished_run.store.identities()[0]
    close(place.finished_run.store.path(identity), place.here)
    words = ("components", "verify", identity, "--store", place.finished_run.folder / "store")
    return place.says(*words, code=1).partition("\n")[0]


def moved(place: Place) -> str:
    run = place.workspace.copy_of(a_run(place.finished_run), "run")
    settings = yaml.safe_load((run / "experiment.yaml").read_text())
    (run / "experiment.yaml").write_text(yaml.safe_dump(settings | {"store": str(place.workspace.folder / "old")}))
    return place.says("predict", run, "--language", "swh_Latn")


def edited_record(place: Place) -> str:
    run = copied_run(place)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"labels": record["labels"][::-1]}))
    return place.says("predict", run, "--language", "swh_Latn")


def edited_experiment(place: Place) -> str:
    run = copied_run(place)
    settings = yaml.safe_load((run / "experiment.yaml").read_text())
    settings["data"]["max_length"] = 8
    (run / "experiment.yaml").write_text(yaml.safe_dump(settings))
    return place.says("predict", run, "--language", "swh_Latn")


def copied_run(place: Place) -> Path:
    """Copies a finished run and the store to which its experiment then points."""
    place.workspace.copy_of(place.finished_run.folder / "store", "store")
    run = place.workspace.copy_of(a_run(place.finished_run), "run")
    settings = yaml.safe_load((run / "experiment.yaml").read_text())
    (run / "experiment.yaml").write_text(yaml.safe_dump(settings | {"store": str(place.workspace.store.folder)}))
    return run


def without_slurm(place: Place) -> str:
    place.here.setenv("PATH", str(place.workspace.folder))
    return place.says("launch", place.workspace.write())


def a_run(workspace: Workspace) -> Path:
    return next((workspace.folder / "runs" / "tiny").glob("*-seed0-*"))


MISSPELT = {"stages.task.bach_size": 4, "languages.targets": ["swh_Latn", "swa_Latn"], "data.name": "sib20"}

MISTAKES: dict[str, Callable[[Place], str]] = {
    "stages.task.bach_size": lambda place: place.plan(MISSPELT),
    "does not exist": lambda place: place.plan({"data.path": str(place.workspace.folder / "nowhere")}),
    "not taken": lambda place: claims(place, ROWS, TEST, "zho_Hans"),
    "a quote makes one row": lambda place: claims(place, STRAY, TEST, "swh_Latn"),
    "not UTF-8": latin_input,
    "backbone.name": offline,
    "try 2 of 7": out_of_reach,
    "prefix is not possible": prefix_on_modernbert,
    "no trained language-modelling head": lambda place: place.plan(without_head()(place.workspace)),
    "exceed": lambda place: place.plan({"data.max_length": 512}),
    "as a target": lambda place: place.plan(leaking(place.workspace)),
    "is the train split": lambda place: place.plan(reusing(place.workspace)),
    "rows cannot be used": unusable_rows,
    "BIO scheme": other_scheme,
    "GPUs": lambda place: place.plan({"trainer.accelerator": "gpu"}),
    "cannot be imported": lambda place: place.plan({"combination.task": {"my_components.Shift": {}}}),
    "diverged": diverging,
    "store was moved": moved,
    "damaged": damaged,
    "Permission denied": closed,
    "and the passport of": edited_record,
    "/experiment.yaml do not agree": edited_experiment,
    "no runs here": lambda place: place.says("compare", place.workspace.folder),
    "no combination": lambda place: place.says(
        "compare", place.finished_run.folder / "runs", "--baseline", "task adaptor"
    ),
    "unknown metric": lambda place: place.says("compare", place.finished_run.folder / "runs", "--metric", "macro-f1"),
    "no language components": lambda place: place.says("predict", a_run(place.finished_run), "--language", "yor_Latn"),
    "no Slurm": without_slurm,
    "precision is auto": lambda place: place.says("launch", place.workspace.write({"backbone.precision": "auto"})),
}
"""What brings a message about, by words that only the block with this message holds."""


def message_of(words: str) -> Block:
    [block] = [block for block in blocks(PAGE) if words in block.body]
    return block


def test_every_message_is_provoked() -> None:
    assert [message_of(words) for words in MISTAKES] == [block for block in blocks(PAGE) if block.language == "text"]


@pytest.mark.parametrize("words", MISTAKES)
def test_a_message_is_what_the_program_prints(
    words: str, workspace: Workspace, finished_run: Workspace, modulingua: Modulingua, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words == "GPUs":
        monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    printed = MISTAKES[words](Place(workspace, finished_run, modulingua, monkeypatch))
    pattern = re.escape(" ".join(message_of(words).body.split())).replace("…", ".*")
    assert re.fullmatch(pattern, " ".join(printed.split())), printed
