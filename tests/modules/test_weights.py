"""Weight files: pickles as well as safetensors, whole or in parts, and what is refused."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import requests
import torch
from huggingface_hub.errors import HfHubHTTPError
from safetensors.torch import load_file, save_file

from modules import BackboneConfig, ModulesError, inspect_backbone, load_backbone
from modules.backbone import weights
from modules.backbone.hub import hub_errors
from modules.backbone.weights import missing_weights
from modules.errors import NetworkError
from tests.modules import tiny

Folder = Callable[[str], Path]
Save = Callable[[dict[str, torch.Tensor], Path], None]


class Evil:
    """Unpickled without care it writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def in_one_file(state: dict[str, torch.Tensor], folder: Path) -> None:
    torch.save(state, folder / "pytorch_model.bin")


def as_torch_1_5_did(state: dict[str, torch.Tensor], folder: Path) -> None:
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def in_two_files(state: dict[str, torch.Tensor], folder: Path) -> None:
    names = sorted(state)
    for number, part in enumerate((names[:10], names[10:]), start=1):
        torch.save({name: state[name] for name in part}, folder / f"pytorch_model-0000{number}-of-00002.bin")
    (folder / "pytorch_model.bin.index.json").write_text("{}")


def answer(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


@pytest.fixture
def bare(folder: Folder, tmp_path: Path) -> Path:
    """An encoder's folder without weights."""
    shutil.copytree(folder("xlm-roberta"), tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    return tmp_path / "bare"


@pytest.fixture
def state(folder: Folder) -> dict[str, torch.Tensor]:
    return load_file(folder("xlm-roberta") / "model.safetensors")


def inspect(folder: Path) -> Any:
    return inspect_backbone(BackboneConfig(name=str(folder)))


@pytest.mark.parametrize("save", [in_one_file, as_torch_1_5_did, in_two_files])
def test_pickled_weights_are_those_of_safetensors(
    folder: Folder, bare: Path, state: dict[str, torch.Tensor], save: Save
) -> None:
    save(state, bare)
    (bare / "flax_model.msgpack").write_bytes(b"of another framework")
    (bare / "tf_model.h5").write_bytes(b"of another framework")
    assert inspect(bare).has_lm_head
    ids, mask = tiny.batch()
    loaded, expected = (
        load_backbone(BackboneConfig(name=str(place)), with_lm_head=True) for place in (bare, folder("xlm-roberta"))
    )
    for name, parameter in expected.own_parameters().items():
        assert torch.equal(loaded.own_parameters()[name], parameter), name


def test_safetensors_are_taken_where_there_are_both(folder: Folder, bare: Path, tmp_path: Path) -> None:
    torch.save({"a": Evil(tmp_path / "mark")}, bare / "pytorch_model.bin")
    shutil.copy(folder("xlm-roberta") / "model.safetensors", bare)
    load_backbone(BackboneConfig(name=str(bare)))
    assert inspect(bare).weights_hash == inspect(folder("xlm-roberta")).weights_hash
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_runs_code_is_refused_and_runs_none(
    bare: Path, state: dict[str, torch.Tensor], tmp_path: Path, legacy: bool
) -> None:
    evil: Any = {**state, "lm_head.bias": Evil(tmp_path / "mark")}
    torch.save(evil, bare / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    for function in (inspect_backbone, load_backbone):
        with pytest.raises(ModulesError, match=r"pytorch_model\.bin is refused: it asks to run \w+\.system"):
            function(BackboneConfig(name=str(bare)))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([torch.ones(1)], "holds a list, not tensors by name"),
        ({"model": {"weight": torch.ones(1)}}, "'model' is no plain tensor"),
        ({"weight": torch.ones(2).to_sparse()}, "'weight' is no plain tensor"),
        ({"weight": torch.ones(2, dtype=torch.complex64)}, "the tensor weight has type torch.complex64"),
        (None, "cannot be read as PyTorch weights"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_of_something_else(bare: Path, content: Any, reason: str) -> None:
    torch.save(content, bare / "pytorch_model.bin")
    if content is None:
        (bare / "pytorch_model.bin").write_bytes(b"nothing of the kind")
    with pytest.raises(ModulesError, match=f"pytorch_model.bin.* {reason}"):
        inspect(bare)


def test_a_part_of_the_weights_is_missing(bare: Path, state: dict[str, torch.Tensor]) -> None:
    in_two_files(state, bare)
    (bare / "pytorch_model-00001-of-00002.bin").unlink()
    with pytest.raises(ModulesError, match="has 1 of 2 weight files"):
        inspect(bare)


def test_weights_of_another_framework(bare: Path) -> None:
    for name in ("README.bin", "flax_model.msgpack", "tf_model.h5", "training_args.bin"):
        (bare / name).write_bytes(b"")
    with pytest.raises(ModulesError, match=r"no weights: neither .*bin; flax_model.msgpack is in a format that is not"):
        inspect(bare)


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "sub/tf_model.h5.bak"), ""),
        (("optimizer.pt", "tf_model.h5"), "; tf_model.h5 is in a format that is not read"),
        (("flax_model-00001-of-00002.msgpack",), "; flax_model-00001-of-00002.msgpack is in a format that is not read"),
        (("rust_model.ot",), "; rust_model.ot is in a format that is not read"),
        (("bert_model.ckpt.index",), "; bert_model.ckpt.index is in a format that is not read"),
        (("original/consolidated.00.pth",), "; original/consolidated.00.pth is in a format that is not read"),
        (("onnx/model_quantized.onnx",), "; onnx/model_quantized.onnx is in a format that is not read"),
        (("tiny-q4_k_m.gguf",), "; tiny-q4_k_m.gguf is in a format that is not read"),
        (("optimizer.pt", "adapter_model.safetensors"), "; adapter_model.safetensors holds an adapter, not a backbone"),
        (("pytorch_adapter.bin",), "; pytorch_adapter.bin holds an adapter, not a backbone"),
    ],
)
def test_weights_that_are_not_read_are_named(files: tuple[str, ...], hint: str) -> None:
    assert str(missing_weights("x", files)) == (
        f"backbone 'x' has no weights: neither model.safetensors nor pytorch_model.bin{hint}"
    )


class Broken(io.BytesIO):
    """A file on the hub, of which the later parts cannot be had."""

    def __init__(self, content: bytes, error: Exception, after: int = 1) -> None:
        super().__init__(content)
        self.error, self.left = error, after

    def read(self, size: int | None = -1) -> bytes:
        self._count()
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        self._count()
        return super().readinto(buffer)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (HfHubHTTPError("503 Server Error", response=answer(503)), NetworkError),
        (HfHubHTTPError("403 Client Error", response=answer(403)), ModulesError),
        (requests.ConnectionError("the connection broke"), NetworkError),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_a_failure_of_the_hub_is_no_damage_of_a_pickle(
    bare: Path,
    state: dict[str, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[Exception],
    legacy: bool,
) -> None:
    torch.save(state, bare / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    content = (bare / "pytorch_model.bin").read_bytes()
    for after in range(5):
        broken = Broken(content, error, after)
        monkeypatch.setattr(huggingface_hub.HfFileSystem, "open", lambda *_, broken=broken: broken)
        with pytest.raises(kind, match=f"^someone/x: {error}"), hub_errors("someone/x"):
            weights._pickle_on_hub("someone/x", "0" * 40, "pytorch_model.bin")


def test_a_pointer_of_git_lfs(bare: Path) -> None:
    (bare / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ModulesError, match="model.safetensors is only a pointer to the weights; `git lfs pull`"):
        inspect(bare)


def test_a_pipe_is_no_weights(bare: Path) -> None:
    os.mkfifo(bare / "model.safetensors")
    with pytest.raises(ModulesError, match="model.safetensors is no regular file"):
        inspect(bare)


@pytest.mark.parametrize(
    ("dtype", "reason"), [(torch.complex64, "has type C64"), (torch.float8_e4m3fn, "F8_E4M3"), (torch.int8, "int8")]
)
def test_types_that_no_weight_has(bare: Path, state: dict[str, torch.Tensor], dtype: torch.dtype, reason: str) -> None:
    save_file({name: tensor.to(dtype) for name, tensor in state.items()}, bare / "model.safetensors")
    with pytest.raises(ModulesError, match=rf"model\.safetensors: \S+ .*{reason}"):
        inspect(bare)


def test_names_of_old_versions_of_bert(folder: Folder, tmp_path: Path) -> None:
    """Those that Google's own checkpoints were converted to: `gamma` and `beta` of the norms."""
    shutil.copytree(folder("bert"), tmp_path / "old")
    state = load_file(tmp_path / "old" / "model.safetensors")
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in state.items():
        for new, former in old.items():
            name = name.replace(new, former)
        renamed[name] = tensor
    (tmp_path / "old" / "model.safetensors").unlink()
    torch.save(renamed, tmp_path / "old" / "pytorch_model.bin")
    info = inspect(tmp_path / "old")
    assert info.has_lm_head
    loaded = load_backbone(BackboneConfig(name=info.name)).own_parameters()
    assert torch.equal(loaded["bert.embeddings.LayerNorm.weight"], state["bert.embeddings.LayerNorm.weight"])


def test_a_part_of_a_head_is_no_trained_head(bare: Path, state: dict[str, torch.Tensor]) -> None:
    save_file({name: one for name, one in state.items() if "lm_head.dense" not in name}, bare / "model.safetensors")
    assert not inspect(bare).has_lm_head
