"""Reading from the hub, with the real client and a stand-in for the server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import constants, snapshot_download

from datamodules import (
    DataError,
    Example,
    dataset,
    downloading_to_cache,
    labelled_dataset,
)
from datamodules.datasets.base import DatasetConfig
from datamodules.errors import NetworkError
from datamodules.sources import hub, hub_cache, hub_requests
from tests.hub_server import Fault, Repository, hub_server, use_hub

Serve = Callable[..., AbstractContextManager[list[str]]]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def tsv(edition: str) -> bytes:
    return f"index_id\tcategory\ttext\n0\ttravel\t{edition} 0\n1\thealth\t{edition} 1\n".encode()


def readme(card: dict[str, Any]) -> bytes:
    return f"---\n{json.dumps(card)}\n---\n".encode()


def sib200(edition: str, *languages: str) -> dict[str, bytes]:
    """A commit of SIB-200 whose texts name their edition, in two languages or in these."""
    return {
        f"data/{language}/{split}.tsv": tsv(f"{edition} {language} {split}")
        for language in languages or ("eng_Latn", "swh_Latn")
        for split in ("train", "dev", "test")
    }


DATASET = Repository("datasets", "Davlan/sib200", [sib200("first"), sib200("second")])


def forget() -> None:
    """Makes the process as new: what it knows of repositories is gone."""
    hub._snapshot.cache_clear()
    hub._layout.cache_clear()


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serves repositories as the hub of this process, whose cache is empty at first; gives the requests."""
    @contextmanager
    def serve(*repositories: Repository, fault: Fault | None = None) -> Iterator[list[str]]:
        requests: list[str] = []
        with hub_server(repositories, requests, fault) as endpoint:
            use_hub(endpoint, tmp_path / "cache", monkeypatch)
            forget()
            yield requests

    yield serve
    forget()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Takes the network away."""

    def go_offline() -> None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        forget()

    return go_offline


def texts(language: str = "swh_Latn", split: str = "train", **where: Any) -> list[str]:
    return [example.text for example in dataset("sib200", **where).examples(language, split)]


def test_datasets_are_read_at_one_commit(serve: Serve) -> None:
    with serve(DATASET):
        assert texts() == ["second swh_Latn train 0", "second swh_Latn train 1"]
        assert texts(revision=DATASET.sha(0)) == ["first swh_Latn train 0", "first swh_Latn train 1"]
        assert texts(split="validation")[0] == "second swh_Latn dev 0"
        main = dataset("sib200").fingerprint("swh_Latn", "train")
    assert main == f"Davlan/sib200@{DATASET.sha(1)}/swh_Latn/train"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"language": "deu_Latn"}, f"Davlan/sib200@{DATASET.sha(1)[:7]} has no 'deu_Latn'"),
        ({"revision": "v9"}, "Davlan/sib200 has no revision 'v9' on the hub"),
    ],
)
def test_what_is_missing_is_said_once_asked(serve: Serve, what: dict[str, str], reason: str) -> None:
    with serve(DATASET) as requests:
        for _ in range(2):
            with pytest.raises(DataError) as error:
                texts(**what)
            assert str(error.value).startswith(reason)
    assert len(requests) == 1


def test_a_dataset_that_is_not_there(serve: Serve) -> None:
    with serve(DATASET), pytest.raises(DataError, match=r"^the hub has no dataset indonlp/NusaX-senti, or it is priv"):
        dataset("nusax").fingerprint("eng_Latn", "train")


def test_every_language_costs_one_request_and_in_the_cache_none(serve: Serve) -> None:
    """205 languages cost 1,070 requests when each split was looked up on its own."""
    languages = dataset("sib200", "nowhere").languages
    assert len(languages) == 205

    def read_all() -> None:
        found = dataset("sib200")
        for language, split in [
            ("eng_Latn", "train"),
            ("eng_Latn", "validation"),
            *((one, "test") for one in languages),
        ]:
            found.check(language, split)
            assert found.fingerprint(language, split)
            assert len(list(found.examples(language, split))) == 2

    with serve(Repository("datasets", "Davlan/sib200", [sib200("", *languages) | {"README.md": b""}])) as requests:
        read_all()
        assert len(requests) == 1 + 1 + 207  # the list of files, the README, the files
        requests.clear()
        read_all()
        assert requests == []
        forget()
        read_all()
        assert len(requests) == 1  # which commit `main` is now


@pytest.fixture
def tables() -> Repository:
    """SIB-200 as tables with tabs, in two files; the card says that labels are numbers, and what they mean."""
    path = "tables/swh_train_{}.tsv"
    labels = {"class_label": {"names": {"0": "travel", "1": "health"}}}
    card = {
        "configs": [{"config_name": "swh_Latn", "data_files": [{"split": "train", "path": path.format("*")}]}],
        "dataset_info": [{"config_name": "swh_Latn", "features": [{"name": "category", "dtype": labels}]}],
    }
    files = {"README.md": readme(card)}
    for part in range(2):
        lines = ["index_id\tcategory\ttext", *(f"{n}\t{n % 2}\tpart {part}, row {n}" for n in range(3))]
        files[path.format(part)] = "\n".join(lines).encode()
    return Repository("datasets", "Davlan/sib200", [files])


def examples(count: int = 99) -> tuple[str, list[tuple[str, str]]]:
    """Fingerprint, and label and text of the first rows of Swahili."""
    found = labelled_dataset(DatasetConfig("sib200"))
    read: list[tuple[str, str]] = []
    for example in found.examples("swh_Latn", "train"):
        assert isinstance(example, Example)
        read.append((found.gold(example), example.text))
        if len(read) == count:
            break
    return found.fingerprint("swh_Latn", "train"), read


def test_what_was_read_is_read_without_the_network_too(
    serve: Serve, tables: Repository, offline: Callable[[], None]
) -> None:
    with serve(tables):
        online = examples()
    assert online[1][:2] == [("travel", "part 0, row 0"), ("health", "part 0, row 1")]
    assert len(online[1]) == 6
    offline()
    assert examples() == online


def test_what_was_prefetched_in_part_is_read_so_far(
    serve: Serve, tables: Repository, offline: Callable[[], None]
) -> None:
    with serve(tables):
        with downloading_to_cache() as recorder:
            examples(2)
        [files] = recorder.files.values()
        assert list(files) == ["README.md", "tables/swh_train_0.tsv"]
    offline()
    assert len(examples(3)[1]) == 3
    with pytest.raises(
        DataError, match=rf"^Davlan/sib200@{tables.sha(0)[:7]}: tables/swh_train_1.tsv is not in the ca"
    ):
        examples()


def test_a_smaller_prefetch_after_a_larger_one_leaves_its_record(
    serve: Serve, tables: Repository, offline: Callable[[], None]
) -> None:
    with serve(tables):
        for rows in (2, 99, 2):
            with downloading_to_cache():
                examples(rows)
    offline()
    online = examples()
    gone = hub.Hub("Davlan/sib200").file("tables/swh_train_1.tsv")
    gone.unlink()
    with pytest.raises(DataError, match=r"tables/swh_train_1.tsv is not in the cache"):
        examples(2)
    assert len(online[1]) == 6


def test_a_damaged_record_of_a_prefetch_is_as_none(
    serve: Serve, tables: Repository, offline: Callable[[], None], tmp_path: Path
) -> None:
    with serve(tables), downloading_to_cache():
        examples(2)
    for record in tmp_path.rglob("train.json"):
        record.write_bytes(b"\xff{")
    offline()
    with pytest.raises(DataError, match=r"tables/swh_train_1.tsv is not in the cache"):
        examples(2)


def test_two_writers_of_a_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    with hub_cache._whole(file) as first, hub_cache._whole(file) as second:
        first.write(b"first")
        second.write(b"second")
    assert file.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tsv"]


def test_a_mistake_in_the_code_is_no_failure_of_the_network(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> None:
        raise TypeError("a mistake")

    monkeypatch.setattr(hub_requests, "_receive", mistaken)
    with serve(DATASET), pytest.raises(TypeError, match="^a mistake$"):
        texts()


def test_an_interrupted_prefetch_does_not_pass_for_a_whole_one(
    serve: Serve, tables: Repository, offline: Callable[[], None]
) -> None:
    with serve(tables), suppress(KeyboardInterrupt), downloading_to_cache():
        examples(2)
        raise KeyboardInterrupt
    offline()
    missing = rf"^Davlan/sib200@{tables.sha(0)[:7]}: tables/swh_train_1.tsv is not in the cache; `modulingua pre"
    with pytest.raises(DataError, match=missing):
        dataset("sib200").check("swh_Latn", "train")


def test_what_was_never_read_is_not_there_without_the_network(serve: Serve, offline: Callable[[], None]) -> None:
    with serve(DATASET):
        texts()
    offline()
    with pytest.raises(
        DataError, match=rf"^Davlan/sib200@{DATASET.sha(1)[:7]}: data/eng_Latn/train.tsv is not in the"
    ):
        dataset("sib200").check("eng_Latn", "train")
    with pytest.raises(DataError, match=r"^Davlan/sib200@v9 is not in the cache; `modulingua prefetch "):
        dataset("sib200", revision="v9").check("swh_Latn", "train")


def test_a_commit_that_is_in_the_cache_is_not_asked_for(serve: Serve) -> None:
    with serve(DATASET) as requests:
        texts(revision=DATASET.sha(0))
        requests.clear()
        forget()
        texts(revision=DATASET.sha(0))
    assert requests == []


def test_without_a_hub_the_message_is_one_line(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve():
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(NetworkError, match=r"^Davlan/sib200 main: the hub is out of reach; name a local") as error:
            texts()
    assert "\n" not in str(error.value)


def answering(status: int, body: bytes = b"", only: str = "", **headers: str) -> Fault:
    """A hub that answers all requests whose path holds a word like this."""

    def fault(handler: BaseHTTPRequestHandler) -> bool:
        if only not in handler.path:
            return False
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return fault


PAGE = b"<!doctype html><title>Sign in to this hotel's network</title>"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (answering(429, only="/resolve/"), "Davlan/sib200 data/swh_Latn/train.tsv: the hub answers 429, too many requ"),
        (answering(503), "Davlan/sib200 main: the hub answers 503, "),
        (answering(200, PAGE), "Davlan/sib200 main: the hub is out of reach"),
        (answering(200), "Davlan/sib200 main: the hub is out of reach"),
        (answering(200, b"\xff\x00\x17"), "Davlan/sib200 main: the hub is out of reach"),
        (answering(200, b"[]"), "Davlan/sib200 main: the hub is out of reach"),
        (answering(200, b"{}"), "Davlan/sib200 main: the hub is out of reach"),
        (answering(200, b'{"id": "a", "sha": 5, "tags": []}'), "Davlan/sib200@main: the hub's answer names no commit"),
        (answering(200, b'{"id": "a", "siblings": 5}'), "Davlan/sib200 main: the hub is out of reach"),
        (answering(200, PAGE, "/resolve/"), "Davlan/sib200 data/swh_Latn/train.tsv: 61 bytes came from the hub in pl"),
        (answering(302, Location="nowhere://x"), "Davlan/sib200 main: the hub is out of reach"),
        (answering(302, Location="/api/datasets/Davlan/sib200"), "Davlan/sib200 main: the hub is out of reach"),
    ],
)
def test_a_hub_that_fails_or_talks_nonsense_is_no_mistake_of_the_users(
    serve: Serve, fault: Fault, reason: str, tmp_path: Path
) -> None:
    with serve(DATASET, fault=fault), pytest.raises(NetworkError) as error:
        texts()
    assert str(error.value).startswith(reason)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache").rglob("*.tsv"))
    assert not list((tmp_path / "cache").rglob(".half*"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (answering(401, X_Error_Code="GatedRepo"), "Davlan/sib200: the hub asks for consent to the terms of this data"),
        (answering(403, X_Error_Code="GatedRepo"), "Davlan/sib200: the hub asks for consent to the terms of this data"),
        (answering(403), "Davlan/sib200 main: the hub answers 403, which means that the owner of HF_TOKEN may not rea"),
    ],
)
def test_a_hub_that_refuses_says_what_to_do(serve: Serve, fault: Fault, reason: str) -> None:
    with serve(DATASET, fault=fault), pytest.raises(DataError) as error:
        texts()
    assert str(error.value).startswith(reason)


def test_files_outside_of_the_repository_are_not_written(serve: Serve, tmp_path: Path) -> None:
    files = sib200("") | {"../../../../evil/train.tsv": tsv("evil"), "/evil/train.tsv": tsv("evil")}
    with (
        serve(Repository("datasets", "Davlan/sib200", [files])),
        pytest.raises(DataError, match="has no '../../../../e"),
    ):
        list(hub.Hub("Davlan/sib200").rows("../../../../evil", "train", ("text",), ()))


def test_quotes_are_text_where_the_dataset_says_so(serve: Serve) -> None:
    content = b'tweet\tlabel\n"he said\tneutral\nso"\tpositive\n'
    with serve(Repository("datasets", "masakhane/afrisenti", [{"data/hau/train.tsv": content}])):
        assert [one.text for one in dataset("afrisenti").examples("hau_Latn", "train")] == ['"he said', 'so"']


def test_a_download_goes_on_where_the_connection_broke(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub_requests, "_CHUNK", 10)
    content = DATASET.commits[1]["data/swh_Latn/train.tsv"]

    def fault(handler: BaseHTTPRequestHandler) -> bool:
        if "/resolve/" not in handler.path or "Range" in handler.headers:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:30])
        handler.close_connection = True
        return True

    with serve(DATASET, fault=fault) as requests:
        assert texts() == ["second swh_Latn train 0", "second swh_Latn train 1"]
    assert len(requests) == 3
    assert "data/swh_Latn/train.tsv: the connection broke (ChunkedEncodingError); going on" in caplog.text


def test_a_disk_that_takes_no_more_is_named(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the cache should be")
    with serve(DATASET), pytest.raises(DataError, match=rf"^{tmp_path}/cache/\S+ cannot be written: "):
        texts()


def test_the_stand_in_also_serves_backbones(tmp_path: Path) -> None:
    model = Repository("models", "someone/backbone", [{"config.json": b"{}"}, {"config.json": b'{"new": 1}'}])
    with hub_server([model]) as endpoint:
        for revision, content in (("main", '{"new": 1}'), (model.sha(0), "{}")):
            folder = snapshot_download(model.id, revision=revision, cache_dir=tmp_path, endpoint=endpoint)
            assert (Path(folder) / "config.json").read_text() == content
