"""Backbones from the hub, with the real client and a stand-in for the server."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi, ModelInfo, constants
from huggingface_hub.hf_api import BlobLfsInfo
from safetensors.torch import save

from modules import BackboneConfig, ModulesError, inspect_backbone, load_backbone
from modules.backbone import pretrained_files
from modules.backbone.hub import hub_errors
from modules.errors import NetworkError
from tests.hub_server import Repository, hub_server, use_hub
from tests.model_hub import first_of, gated, moved
from tests.modules.layouts import write_layout
from tests.modules.test_weights import Evil

NAME = "someone/tiny"
FORMER = "someone/former"
"""The name that `NAME` had before."""
GATED = "someone/gated"
MT5 = "google/mt5-base"
EVIL = "someone/evil"
NO_CONSENT = "backbone 'someone/gated': the hub asks for consent to its terms; give it on the website, and set HF_TOKEN"

Ask = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def commits(folder: Callable[[str], Path]) -> list[dict[str, bytes]]:
    def files(model_type: str) -> dict[str, bytes]:
        found = {file.name: file.read_bytes() for file in folder(model_type).iterdir()}
        return found | {"onnx/model.safetensors": b"of something else", "README.md": b"long"}

    other = files("bert")
    other["flax_model.msgpack"] = other.pop("model.safetensors")
    unsafe = files("bert")
    settings = json.loads(unsafe["config.json"]) | {"_attn_implementation_internal": "evil/kernel"}
    unsafe["config.json"] = json.dumps(settings).encode()
    return [other, unsafe, files("bert"), files("xlm-roberta")]


@pytest.fixture(scope="module")
def repository(commits: list[dict[str, bytes]]) -> Repository:
    return Repository("models", NAME, commits)


@pytest.fixture(scope="module")
def mt5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that has nothing but pickled weights and a SentencePiece model."""
    return write_layout(MT5, tmp_path_factory.mktemp("mt5") / "repository")


@pytest.fixture(scope="module")
def converted(mt5: Path) -> dict[str, bytes]:
    """What the hub's converter of weights proposes, in a pull request of its own: the same, and safetensors."""
    weights = torch.load(mt5 / "pytorch_model.bin", weights_only=True)
    return files_in(mt5) | {"model.safetensors": save({name: tensor.clone() for name, tensor in weights.items()})}


@pytest.fixture(scope="module")
def endpoint(
    repository: Repository, mt5: Path, converted: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    pickle = io.BytesIO()
    torch.save({"weight": Evil(tmp_path_factory.getbasetemp() / "mark")}, pickle)
    repositories = [
        repository,
        Repository("models", MT5, [files_in(mt5)], branches={"refs/pr/2": converted}),
        Repository("models", GATED, [repository.commits[-1]]),
        Repository("models", EVIL, [files_in(mt5) | {"pytorch_model.bin": pickle.getvalue()}]),
    ]
    with hub_server(repositories, fault=first_of(moved(FORMER, NAME), gated(GATED))) as address:
        yield address


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def ask(endpoint: str, tmp_path: Path) -> Ask:
    """Answers requests as a new process would, which begins with an empty cache."""

    def ask(
        *requests: tuple[str, dict[str, Any]],
        large: dict[str, str] | None = None,
        offline: bool = False,
        token: str | None = None,
    ) -> list[Any]:
        with pytest.MonkeyPatch.context() as patch:
            use_hub(endpoint, tmp_path / "hub", patch)
            patch.setattr(constants, "HF_HUB_OFFLINE", offline)
            if token:
                patch.setenv("HF_TOKEN", token)
            if large:
                patch.setattr(HfApi, "model_info", as_large_files(HfApi.model_info, large))
            for remembered in (pretrained_files._snapshot, pretrained_files._weights_on_hub):
                remembered.cache_clear()
            return [answer_of(what, BackboneConfig(**settings)) for what, settings in requests]

    return ask


def as_large_files(ask: Callable[..., ModelInfo], hashes: dict[str, str]) -> Callable[..., ModelInfo]:
    """The stand-in keeps no file in large-file storage; the hub keeps all weights there, and tells their hashes."""

    def answer(api: HfApi, name: str, **options: Any) -> ModelInfo:
        found = ask(api, name, **options)
        for file in found.siblings or []:
            if file.rfilename in hashes:
                file.lfs = BlobLfsInfo(size=1, sha256=hashes[file.rfilename], pointer_size=1)
        return found

    return answer


def answer_of(what: str, config: BackboneConfig) -> Any:
    try:
        info = inspect_backbone(config) if what == "inspect" else load_backbone(config, with_lm_head=True).info
    except ModulesError as error:
        return str(error)
    files = sorted(file.name for file in info.folder.iterdir())
    return [info.revision, info.weights_hash, info.tokenizer_hash, info.has_lm_head, files]


def test_a_backbone_from_the_hub(ask: Ask, repository: Repository, folder: Callable[[str], Path]) -> None:
    local = {name: inspect_backbone(BackboneConfig(name=str(folder(name)))) for name in ("bert", "xlm-roberta")}
    weights = (folder("xlm-roberta") / "model.safetensors").read_bytes()
    small = ["config.json", "tokenizer.json", "tokenizer_config.json"]
    inspected, loaded, pinned, former, short = ask(
        ("inspect", {"name": NAME}),
        ("load", {"name": NAME}),
        ("load", {"name": NAME, "revision": repository.sha(2)}),
        ("inspect", {"name": FORMER}),
        ("inspect", {"name": NAME, "revision": repository.sha(2)[:8]}),
        large={"model.safetensors": hashlib.sha256(weights).hexdigest(), "onnx/model.safetensors": "0"},
    )
    newest = local["xlm-roberta"]
    known = [repository.sha(3), newest.weights_hash, newest.tokenizer_hash, True]
    assert inspected == [*known, small]
    assert loaded == [*known, sorted([*small, "model.safetensors"])]
    assert pinned[:2] == [repository.sha(2), local["bert"].weights_hash]
    assert former == inspected
    assert short[0] == repository.sha(2)
    assert ask(("load", {"name": NAME}), offline=True) == [loaded]


def test_what_the_hub_does_not_hash_is_hashed_here(
    ask: Ask, repository: Repository, folder: Callable[[str], Path]
) -> None:
    (inspected,) = ask(("inspect", {"name": NAME}))
    local = inspect_backbone(BackboneConfig(name=str(folder("xlm-roberta"))))
    assert inspected[:2] == [repository.sha(3), local.weights_hash]


def test_what_cannot_be_had_is_said_in_one_line(ask: Ask, repository: Repository) -> None:
    answers = ask(
        ("load", {"name": "someone/nothing"}),
        ("load", {"name": NAME, "revision": "v9"}),
        ("inspect", {"name": NAME, "revision": repository.sha(0)}),
        ("load", {"name": NAME, "revision": repository.sha(1)}),
        ("load", {"name": "no such name!"}),
        ("inspect", {"name": GATED}),
    )
    assert all("\n" not in answer for answer in answers)
    assert answers[0].startswith("backbone 'someone/nothing': the hub has no such repository")
    assert answers[1].startswith("backbone 'someone/tiny' at revision 'v9': the hub has the repository, but not")
    assert "neither model.safetensors nor pytorch_model.bin; flax_model.msgpack is in a format that is" in answers[2]
    assert "config.json is refused: '_attn_implementation_internal'" in answers[3]
    assert answers[4] == "backbone 'no such name!': this is neither a folder nor a repository's name"
    assert answers[5] == NO_CONSENT


def test_pickles_and_their_conversions(ask: Ask, mt5: Path, converted: dict[str, bytes], tmp_path: Path) -> None:
    small = ["config.json", "spiece.model", "tokenizer_config.json"]
    pickle = hashlib.sha256((mt5 / "pytorch_model.bin").read_bytes()).hexdigest()
    safe = hashlib.sha256(converted["model.safetensors"]).hexdigest()
    *pickled, proposed, refused = ask(
        ("inspect", {"name": MT5}),
        ("load", {"name": MT5}),
        ("load", {"name": MT5, "revision": "refs/pr/2"}),
        ("inspect", {"name": EVIL}),
        large={"pytorch_model.bin": pickle, "model.safetensors": safe},
    )
    local = inspect_backbone(BackboneConfig(name=str(mt5)))
    for answer, files in zip(pickled, (small, sorted([*small, "pytorch_model.bin"])), strict=True):
        assert answer[1:] == [local.weights_hash, local.tokenizer_hash, True, files]
    assert proposed[-1] == sorted([*small, "model.safetensors"])
    assert proposed[1] != local.weights_hash
    assert re.search(r"someone/evil/pytorch_model\.bin is refused: it asks to run \w+\.system", refused)
    assert not (tmp_path.parent / "mark").exists()


def test_consent_that_was_not_given_by_somebody_known(ask: Ask) -> None:
    (answer,) = ask(("inspect", {"name": GATED}), token="hf_of_nobody")
    assert answer == NO_CONSENT


@pytest.mark.parametrize("error", [NotImplementedError("x"), RecursionError("x")])
def test_a_mistake_in_the_code_is_no_failure_of_the_network(error: Exception) -> None:
    with pytest.raises(type(error), match="^x$"), hub_errors("someone/tiny"):
        raise error
    with pytest.raises(NetworkError, match="^someone/tiny: it broke"), hub_errors("someone/tiny"):
        raise RuntimeError("it broke")  # as hf_xet does


def test_without_a_hub_or_a_cache(ask: Ask) -> None:
    (answer,) = ask(("load", {"name": NAME}), offline=True)
    assert answer.startswith(
        "backbone 'someone/tiny': this is neither a folder nor in the cache, and the hub is out of reach; `modulingua "
    )


def test_without_the_weights_in_the_cache(ask: Ask) -> None:
    ask(("inspect", {"name": NAME}), large={"model.safetensors": "0", "onnx/model.safetensors": "0"})
    (answer,) = ask(("load", {"name": NAME}), offline=True)
    assert "not all of its weight files are in the cache" in answer
    assert "`modulingua prefetch " in answer
