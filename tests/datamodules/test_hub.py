"""Reading from the hub, with the real clients and a stand-in for the server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import HfApi

from datamodules import hub
from datamodules.errors import NetworkError
from tests.datamodules.conftest import ROOT
from tests.hub_server import Repository, hub_server

LANGUAGES = ("eng_Latn", "swh_Latn")
SPLITS = ("train", "test")


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def sib200(edition: str) -> dict[str, bytes]:
    """A commit of a small SIB-200 whose texts name their edition."""
    configs = [
        {
            "config_name": language,
            "data_files": [{"split": split, "path": f"{language}/{split}-*"} for split in SPLITS],
        }
        for language in LANGUAGES
    ]
    files = {"README.md": f"---\n{json.dumps({'configs': configs})}\n---\n".encode()}
    for language in LANGUAGES:
        for split in SPLITS:
            rows = [
                {"index_id": n, "category": "travel", "text": f"{edition} {language} {split} {n}"}
                for n in range(3)
            ]
            files[f"{language}/{split}-00000-of-00001.parquet"] = parquet(rows)
    return files


DATASET = Repository("datasets", "Davlan/sib200", [sib200("first"), sib200("second")])
MODEL = Repository("models", "someone/backbone", [{"config.json": b"{}"}, {"config.json": b'{"new": 1}'}])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with hub_server([DATASET, MODEL]) as address:
        yield address


def in_new_process(code: str, endpoint: str, home: Path) -> Any:
    """What the code puts into `answer`, run by a process whose hub is the endpoint."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }
    whole = f"import json\nanswer = {{}}\n{code}\nprint(json.dumps(answer))"
    completed = subprocess.run(
        [sys.executable, "-c", whole], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout.splitlines()[-1])


READ = """
from datamodules import DataError, dataset
def read(key, language, **where):
    try:
        found = dataset(where.pop("name", "sib200"), **where)
        texts = [example.text for example in found.examples(language, "train")]
        answer[key] = [found.fingerprint(language, "train"), texts]
    except DataError as error:
        answer[key] = str(error)
"""


def test_datasets_are_streamed_at_one_commit(endpoint: str, tmp_path: Path) -> None:
    calls = f"""
read("main", "swh_Latn")
read("pinned", "swh_Latn", revision={DATASET.sha(0)!r})
read("no language", "deu_Latn")
read("no revision", "swh_Latn", revision="v9")
read("no dataset", "eng_Latn", name="nusax")
"""
    answer = in_new_process(READ + calls, endpoint, tmp_path)
    assert answer["main"] == [
        f"Davlan/sib200@{DATASET.sha(1)}/swh_Latn/train",
        [f"second swh_Latn train {n}" for n in range(3)],
    ]
    assert answer["pinned"] == [
        f"Davlan/sib200@{DATASET.sha(0)}/swh_Latn/train",
        [f"first swh_Latn train {n}" for n in range(3)],
    ]
    assert answer["no language"].startswith("Davlan/sib200 deu_Latn/train cannot be read from the hub: ")
    assert answer["no revision"] == "Davlan/sib200 has no revision 'v9' on the hub"
    assert answer["no dataset"].startswith("the hub has no dataset indonlp/NusaX-senti")


def test_without_a_hub_the_message_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_listens_here = "http://127.0.0.1:9"
    monkeypatch.setattr(hub, "HfApi", lambda: HfApi(nobody_listens_here))
    with pytest.raises(NetworkError, match=r"^someone/nothing@main: the hub is out of reach; .+") as error:
        hub.Hub("someone/nothing").fingerprint("eng_Latn", "train")
    assert "\n" not in str(error.value)


def test_the_stand_in_also_serves_backbones(endpoint: str, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from huggingface_hub import snapshot_download
for revision in ("main", {MODEL.sha(0)!r}):
    folder = Path(snapshot_download("someone/backbone", revision=revision))
    answer[revision] = (folder / "config.json").read_text()
"""
    assert in_new_process(code, endpoint, tmp_path) == {"main": '{"new": 1}', MODEL.sha(0): "{}"}


KEEP = """
from datamodules import keeping_what_is_read
def keep(*languages, **where):
    with keeping_what_is_read():
        for language in languages:
            for _ in zip(range(where.pop("rows", 99)), dataset("sib200", **where).examples(language, "train")):
                pass
"""

OFFLINE = """
import socket
def refuse(*_, **__):
    raise SystemExit("tried the network")
socket.socket.connect = socket.getaddrinfo = refuse
"""


@pytest.fixture
def tables() -> Repository:
    """SIB-200 as tables with tabs, in two files; the card says that labels are numbers, and what they mean."""
    path = "tables/swh_train_{}.tsv"
    labels = {"class_label": {"names": {"0": "travel", "1": "health"}}}
    card = {
        "configs": [{"config_name": "swh_Latn", "data_files": [{"split": "train", "path": path.format("*")}]}],
        "dataset_info": [
            {
                "config_name": "swh_Latn",
                "features": [
                    {"name": "index_id", "dtype": "int64"},
                    {"name": "category", "dtype": labels},
                    {"name": "text", "dtype": "string"},
                ],
            }
        ],
    }
    files = {"README.md": f"---\n{json.dumps(card)}\n---\n".encode()}
    for part in range(2):
        lines = ["index_id\tcategory\ttext", *(f"{n}\t{n % 2}\tpart {part}, row {n}" for n in range(3))]
        files[path.format(part)] = "\n".join(lines).encode()
    return Repository("datasets", "Davlan/sib200", [files])


def examples(endpoint: str, home: Path, before: str = "") -> Any:
    """What a new process reads of Swahili: fingerprint and (label, text) of each row."""
    code = """
try:
    found = dataset("sib200")
    answer["rows"] = [(found.labels[one.label], one.text) for one in found.examples("swh_Latn", "train")]
    answer["fingerprint"] = found.fingerprint("swh_Latn", "train")
except DataError as error:
    answer["error"] = str(error)
"""
    return in_new_process(before + READ + KEEP + code, endpoint, home)


def test_what_is_kept_is_read_as_it_was_streamed(
    tables: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_server([tables]) as endpoint:
        streamed = examples(endpoint, tmp_path / "other")
        in_new_process(READ + KEEP + 'keep("swh_Latn")', endpoint, tmp_path)
    assert streamed["rows"][:2] == [["travel", "part 0, row 0"], ["health", "part 0, row 1"]]
    assert len(streamed["rows"]) == 6
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert examples(endpoint, tmp_path, OFFLINE) == streamed


def test_what_was_kept_in_part_is_read_so_far_offline_and_streamed_online(
    tables: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_server([tables]) as endpoint:
        in_new_process(READ + KEEP + 'keep("swh_Latn", rows=2)', endpoint, tmp_path)
        assert len(examples(endpoint, tmp_path)["rows"]) == 6
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    first_rows = """
rows = dataset("sib200").examples("swh_Latn", "train")
answer["rows"] = [next(rows).text for _ in range(3)]
"""
    answer = in_new_process(OFFLINE + READ + first_rows, endpoint, tmp_path)
    assert answer["rows"] == [f"part 0, row {n}" for n in range(3)]
    missing = examples(endpoint, tmp_path, OFFLINE)["error"]
    assert missing.startswith(f"Davlan/sib200@{tables.sha(0)[:7]}: tables/swh_train_1.tsv is not in the cache; `mod")


def test_an_interrupted_keeping_keeps_nothing_for_whole(
    tables: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = """
try:
    with keeping_what_is_read():
        next(dataset("sib200").examples("swh_Latn", "train"))
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
"""
    with hub_server([tables]) as endpoint:
        in_new_process(READ + KEEP + interrupted, endpoint, tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    missing = examples(endpoint, tmp_path, OFFLINE)["error"]
    assert missing.startswith(f"Davlan/sib200@{tables.sha(0)[:7]}: swh_Latn/train is not in the cache; `modulingua pre")
