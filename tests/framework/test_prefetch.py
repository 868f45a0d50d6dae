"""Prefetching with the real clients from a stand-in for the hub, then working without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from datamodules import ParallelText, RowError
from datamodules.unlabelled.pairs import Pair
from framework.execution import prefetch
from framework.planning.plan import LanguageStage
from framework.results.run_folder import read_runs
from tests.framework.conftest import workspace_in
from tests.framework.tiny import LANGUAGES, ROOT, Workspace, outcome, read_rows, runs, write_rows
from tests.hub_server import Repository, hub_server

CODE = """
import contextlib, io, json, socket, sys
offline, calls = json.loads(sys.argv[1])
if offline:
    def refuse(*_, **__):
        raise SystemExit("tried the network")
    socket.socket.connect = socket.getaddrinfo = refuse
from framework.cli import main
answers = []
for words in calls:
    sys.argv = ["modulingua", *words]
    code, out, err = 0, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as left:
            code = left.code
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""
"""Calls `modulingua` several times, in a process that dies of any attempt to reach the network when it is offline."""

SPLITS = ("train", "validation", "test")
DOCUMENTS = (900, 1)
"""Of each file of the Wikipedia. The first is larger than the sample of text that a stage looks at."""


def read_me(configs: dict[str, dict[str, str]]) -> bytes:
    """A dataset card that says where the files of each config's splits lie."""
    listed = [
        {"config_name": name, "data_files": [{"split": split, "path": path} for split, path in paths.items()]}
        for name, paths in configs.items()
    ]
    return f"---\n{json.dumps({'configs': listed})}\n---\n".encode()


def labelled(workspace: Workspace, folder: Path) -> dict[str, bytes]:
    """A small SIB-200 in which every language lies otherwise, one of them in two files a split."""
    english, swahili, hausa = LANGUAGES
    files = {
        f"{english}/{split}-00000-of-00001.parquet": (workspace.texts / english / f"{split}.parquet").read_bytes()
        for split in SPLITS
    }
    for split in SPLITS:
        files[f"data/{swahili}/{split}.parquet"] = (workspace.texts / swahili / f"{split}.parquet").read_bytes()
        rows = read_rows(workspace.texts / hausa / f"{split}.parquet")
        for shard, part in enumerate((rows[:5], rows[5:])):
            write_rows(folder / "part.parquet", part)
            files[f"{split}/{hausa}-0000{shard}-of-00002.parquet"] = (folder / "part.parquet").read_bytes()
    places = {
        english: {split: f"{english}/{split}-*" for split in SPLITS},
        swahili: {split: f"data/{swahili}/{split}.parquet" for split in SPLITS},
        hausa: {split: f"{split}/{hausa}-*" for split in SPLITS},
        "kin_Latn": {"train": f"data/{swahili}/train.parquet", "test": f"{english}/test-*"},
    }
    return files | {"README.md": read_me(places)}


def wikipedia(workspace: Workspace, folder: Path) -> dict[str, bytes]:
    """Several files of text in one language, of which a few steps reach the first only."""
    files = {}
    texts = [row["text"] for row in read_rows(workspace.corpus / "swh_Latn" / "train.parquet")]
    for shard, documents in enumerate(DOCUMENTS):
        rows = [{"id": str(row), "text": f"{texts[row % len(texts)]} " * 40} for row in range(documents)]
        write_rows(folder / "part.parquet", rows)
        files[f"20231101.sw/train-0000{shard}-of-00002.parquet"] = (folder / "part.parquet").read_bytes()
    return files | {"README.md": read_me({"20231101.sw": {"train": "20231101.sw/train-*"}})}


@dataclass
class Machine:
    """A machine with its own cache and, until it is taken away, a hub."""

    workspace: Workspace
    repositories: list[Repository]
    endpoint: str
    offline: bool = False

    @property
    def cache(self) -> Path:
        """Where the hub's clients keep files."""
        return self.workspace.folder / "home" / "hub"

    def snapshot(self, place: int) -> Path:
        """The files of a repository's newest commit in the cache."""
        repository = self.repositories[place]
        name = "--".join([repository.kind, *repository.id.split("/")])
        return self.cache / name / "snapshots" / repository.sha(-1)

    def call(self, *calls: list[str | Path]) -> list[tuple[int, str, str]]:
        """Calls `modulingua` in a process of its own; returns exit code, output and errors of each call."""
        environment = os.environ | {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.workspace.folder / "home"),
            "HF_HUB_OFFLINE": str(int(self.offline)),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "OMP_NUM_THREADS": "1",
        }
        wanted = json.dumps([self.offline, [[str(word) for word in words] for words in calls]])
        command = [sys.executable, "-c", CODE, wanted]
        completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert completed.returncode == 0, completed.stderr
        return [(code, out, err) for code, out, err in json.loads(completed.stdout)]


class Prefetched(NamedTuple):
    """A machine that had a network once, and its experiment."""

    machine: Machine
    file: Path
    planned: str
    """What `plan` said with the network."""
    said: str
    """What `prefetch` said."""


def experiment_on(hub: list[Repository]) -> dict[str, Any]:
    """The tiny experiment with nothing from a local folder, pretrained on a little of the Wikipedia."""
    parallel = {"dataset": "sib200", "max_length": 24}
    return {
        "backbone.name": hub[0].id,
        "data": {"name": "sib200", "max_length": 24},
        "stages.language.objective": {"alignment": {"parallel": parallel}},
        "pretrain": {
            "languages": ["swh_Latn"],
            "objective": {"masked": {"text": {"dataset": "wikipedia", "max_length": 24}}},
            "training": {"steps": 2},
            "batch_size": 4,
        },
    }


@pytest.fixture(scope="module")
def prefetched(tmp_path_factory: pytest.TempPathFactory, shared_files: Path) -> Prefetched:
    """A machine without network, its experiment, and what `plan` and `prefetch` said while there was one."""
    workspace = workspace_in(tmp_path_factory.mktemp("machine"), shared_files)
    encoder = {file.name: file.read_bytes() for file in workspace.encoder.iterdir()}
    hub = [
        Repository("models", "someone/tiny", [encoder | {"pytorch_model.bin": b"of no use"}]),
        Repository("datasets", "Davlan/sib200", [{"README.md": b"older"}, labelled(workspace, workspace.folder)]),
        Repository("datasets", "wikimedia/wikipedia", [wikipedia(workspace, workspace.folder)]),
    ]
    file = workspace.write(experiment_on(hub))
    with hub_server(hub) as endpoint:
        machine = Machine(workspace, hub, endpoint)
        [planned] = machine.call(["plan", "-v", file])
        shutil.rmtree(machine.cache)  # what planning alone left there
        [fetched] = machine.call(["prefetch", file])
    assert (planned[0], fetched[0]) == (0, 0), (planned[2], fetched[2])
    machine.offline = True
    return Prefetched(machine, file, planned[1], fetched[1])


MISSING = {
    "languages.targets=[swh_Latn,kin_Latn]": "Davlan/sib200@{}: eng_Latn/test-00000-of-00001.parquet is not in",
    "data.revision=v9": "Davlan/sib200@v9 is not in the cache",
    "data.name=nusax": "indonlp/NusaX-senti@refs/convert/parquet is not in the cache",
    "backbone.name=someone/other": "backbone 'someone/other': this is neither a folder nor in the cache",
}
"""What a change of the experiment asks for, which was not fetched, and how that is said."""


@pytest.fixture(scope="module")
def offline(prefetched: Prefetched) -> dict[str, tuple[int, str, str]]:
    """What a few calls said without the network."""
    machine, file = prefetched.machine, prefetched.file
    calls = {"plan": ["plan", "-v", file], **{word: ["plan", file, word] for word in MISSING}, "run": ["run", file]}
    return dict(zip(calls, machine.call(*calls.values()), strict=True))


def in_cache(folder: Path) -> set[str]:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith(".modulingua")}


def test_it_fetches_what_the_plan_reads_and_nothing_else(prefetched: Prefetched) -> None:
    machine, said = prefetched.machine, prefetched.said
    assert in_cache(machine.snapshot(0)) == {file.name for file in machine.workspace.encoder.iterdir()}
    english, swahili, hausa = LANGUAGES
    assert in_cache(machine.snapshot(1)) == {
        "README.md",
        *(f"{english}/{split}-00000-of-00001.parquet" for split in ("train", "validation")),
        *(f"data/{swahili}/{split}.parquet" for split in ("train", "test")),
        *(f"{split}/{hausa}-0000{shard}-of-00002.parquet" for split in ("train", "test") for shard in range(2)),
    }
    lines = [" ".join(line.split()) for line in said.splitlines()]
    weights = sum(file.stat().st_size for file in machine.workspace.encoder.iterdir())
    count = len(list(machine.workspace.encoder.iterdir()))
    assert f"someone/tiny@{machine.repositories[0].sha(0)[:7]} {count} {weights / 1e6:.1f}" in lines
    assert any(line.startswith(f"Davlan/sib200@{machine.repositories[1].sha(-1)[:7]} 9 ") for line in lines)


def test_of_translations_it_fetches_all(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run reads them all before it trains, however few of them it trains on."""
    (workspace.folder / "pairs.jsonl").write_text('{"target": "w1", "pivot": "w2"}\n' * 500)
    read: list[Pair | RowError] = []
    rows = ParallelText.read
    monkeypatch.setattr("datamodules.unlabelled.parallel._SHUFFLE_BUFFER", 1)
    monkeypatch.setattr(ParallelText, "read", lambda *words: (read.append(row) or row for row in rows(*words)))
    objective = {"alignment": {"parallel": {"file": str(workspace.folder / "pairs.jsonl"), "max_length": 24}}}
    [stage, *_] = workspace.plan({"stages.language.objective": objective}).of_type(LanguageStage)
    prefetch._read_text(stage)
    assert len({pair.id for pair in read if isinstance(pair, Pair)}) == 500


def test_of_large_text_it_fetches_what_so_many_steps_reach(prefetched: Prefetched) -> None:
    fetched = in_cache(prefetched.machine.snapshot(2))
    assert fetched == {"README.md", "20231101.sw/train-00000-of-00002.parquet"}


def test_the_plan_is_the_same_without_network(prefetched: Prefetched, offline: dict[str, tuple[int, str, str]]) -> None:
    assert offline["plan"] == (0, prefetched.planned, "")


def test_the_experiment_runs_without_network_and_finds_the_same(
    prefetched: Prefetched, offline: dict[str, tuple[int, str, str]], shared_files: Path
) -> None:
    code, _, errors = offline["run"]
    assert code == 0, errors
    machine = prefetched.machine
    [found] = read_runs([machine.workspace.folder / "runs"])
    here = workspace_in(machine.workspace.folder / "local", shared_files)
    here.folder.mkdir()
    wikipedia = here.folder / "wikipedia"
    (wikipedia / "20231101.sw").mkdir(parents=True)
    shutil.copy(
        machine.snapshot(2) / "20231101.sw/train-00000-of-00002.parquet", wikipedia / "20231101.sw/train.parquet"
    )
    places = {
        "backbone.name": str(here.encoder),
        "data.path": str(here.texts),
        "stages.language.objective.alignment.parallel.path": "${data.path}",
        "pretrain.objective.masked.text.path": str(wikipedia),
    }
    changes = experiment_on(machine.repositories) | places
    here.run(changes)
    [expected] = runs(here.plan(changes))
    for key, (_, predictions) in outcome(expected).items():
        assert outcome(found)[key][1] == predictions


@pytest.mark.parametrize("word", MISSING)
def test_what_was_not_fetched_is_named(
    prefetched: Prefetched, offline: dict[str, tuple[int, str, str]], word: str
) -> None:
    code, _, errors = offline[word]
    assert code == 2
    assert MISSING[word].format(prefetched.machine.repositories[1].sha(-1)[:7]) in errors
    assert "`modulingua prefetch " in errors


def test_a_file_that_has_gone_is_named(prefetched: Prefetched) -> None:
    machine = prefetched.machine
    name = "data/swh_Latn/test.parquet"
    victim = machine.snapshot(1) / name
    elsewhere = victim.with_suffix(".gone")
    victim.rename(elsewhere)
    try:
        [(code, _, errors)] = machine.call(["plan", prefetched.file])
    finally:
        elsewhere.rename(victim)
    assert code == 2
    assert f"Davlan/sib200@{machine.repositories[1].sha(-1)[:7]}: {name} is not in the cache" in errors
