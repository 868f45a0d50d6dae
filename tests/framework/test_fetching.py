"""What AdapterHub and PEFT keep on the hub: only the files that are needed are fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from framework.errors import UserError
from framework.store.fetching import fetch_saved
from framework.store.sharing import pull
from framework.store.store import Store
from modules.errors import ModulesError, NetworkError
from tests.hub_server import Repository, hub_server, use_hub

# The first is made as AdapterHub's own repositories are: `adapters` saves the head beside the adapter, and the hub's
# client adds a card. PEFT's examples also upload states of the training.
REPOSITORIES = [
    Repository(
        "models",
        "AdapterHub/bert-sw-wiki",
        [
            {
                "adapter_config.json": b"{}",
                "adapter.safetensors": b"weights",
                "pytorch_adapter.bin": b"the same",
                "head_config.json": b"{}",
                "pytorch_model_head.bin": b"head",
                "README.md": b"---\n---\n",
            },
        ],
    ),
    Repository(
        "models",
        "someone/lora",
        [
            {"adapter_config.json": b'{"r": 1}', "adapter_model.bin": b"old"},
            {"adapter_config.json": b'{"r": 2}', "adapter_model.bin": b"new", "checkpoint-9/optimizer.pt": b"state"},
        ],
    ),
    Repository("models", "someone/several", [{"sw/adapter_config.json": b"{}", "sw/adapter_model.bin": b"a"}]),
]


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The requests to a hub that serves the repositories."""
    seen: list[str] = []
    with hub_server(REPOSITORIES, seen) as endpoint:
        use_hub(endpoint, tmp_path / "cache", monkeypatch)
        yield seen


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_adapter_of_adapterhub_is_fetched_without_its_head(requests: list[str]) -> None:
    folder, origin = fetch_saved("AdapterHub/bert-sw-wiki")
    assert names_in(folder) == {"adapter_config.json", "adapter.safetensors"}
    assert origin == f"AdapterHub/bert-sw-wiki@{REPOSITORIES[0].sha(0)[:7]}"
    assert not [request for request in requests if "head" in request]


@pytest.mark.parametrize(("revision", "content"), [("", b"new"), (f"@{REPOSITORIES[1].sha(0)}", b"old")])
def test_a_lora_of_peft_is_fetched_at_a_revision(requests: list[str], revision: str, content: bytes) -> None:
    folder, _ = fetch_saved(f"someone/lora{revision}")
    assert names_in(folder) == {"adapter_config.json", "adapter_model.bin"}
    assert (folder / "adapter_model.bin").read_bytes() == content


def test_what_was_fetched_is_there_without_the_network(requests: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    online = fetch_saved("someone/lora")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch_saved("someone/lora") == online


@pytest.mark.parametrize(
    ("place", "kind", "reason"),
    [
        ("someone/several", UserError, "there is no adapter_config.json, .* here; it is in sw: download one of them"),
        ("someone/nothing", ModulesError, "someone/nothing: the hub has no such repository"),
        ("someone/lora@v9", ModulesError, "someone/lora@v9: the hub has the repository, but not this revision"),
        ("no such name!", ModulesError, "this is neither a folder nor a repository's name; a folder begins with"),
    ],
)
def test_what_cannot_be_fetched_is_said(requests: list[str], place: str, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind, match=reason):
        fetch_saved(place)


def test_a_hub_out_of_reach_is_a_failure_of_the_network(requests: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    reason = "there is no such folder here, and the hub cannot be reached"
    with pytest.raises(NetworkError, match=f"^someone/lora: {reason}$"):
        fetch_saved("someone/lora")


def test_pull_points_to_import(requests: list[str], tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^someone/lora: `adapters` or PEFT saved this; `modulingua components import "
    ):
        pull(Store(tmp_path / "store"), "someone/lora")
