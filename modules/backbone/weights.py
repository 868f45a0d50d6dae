"""The weight files of a checkpoint: which there are, which tensors they hold, and how they are read.

Safetensors come first. A PyTorch pickle (`pytorch_model.bin`) is read by the restricted unpickler of
`torch.load(weights_only=True)`, which builds tensors and runs nothing else (from torch 2.10 on, where CVE-2026-24747 is
closed). A file that names anything else is refused.
"""

import functools
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import huggingface_hub
import requests
import torch
from huggingface_hub.errors import SafetensorsParsingError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from modules.errors import ModulesError

Tensors = dict[str, Tensor]
"""Tensors by name; those on the meta device have a shape and a type, but no values."""

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""The types of tensors that are read, by their names in safetensors."""
FOREIGN_CODE = re.compile(r"GLOBAL ([\w.]+)")
"""How the restricted unpickler names what a file wants to import."""
LFS_POINTER = b"version https://git-lfs"
"""How the file begins that Git leaves in place of a large one that it has not fetched."""
UNREAD = (
    (
        re.compile(
            r"""(.*/)?(  # in a folder too: original/consolidated.00.pth, onnx/model.onnx
                (tf|flax)_model(-\d+-of-\d+)?\.(h5|msgpack)
                | rust_model\.ot
                | ([\w-]+_)?model\.ckpt[\w.-]*  # TensorFlow 1: bert_model.ckpt.index
                | consolidated[\w.-]*\.(pth|safetensors)
                | model[\w.-]*\.onnx
                | [^/]+\.gguf
            )""",
            re.VERBOSE,
        ),
        "is in a format that is not read",
    ),
    (re.compile(r"adapter_model\.(bin|safetensors)|pytorch_adapter\.bin"), "holds an adapter, not a backbone"),
)
"""Files of weights that are not those of a backbone, by name, and why."""


@dataclass(frozen=True)
class Weights:
    """What the weight files of a checkpoint hold, without loading them."""

    files: tuple[str, ...]
    """Their names, in order."""
    tensors: Tensors
    """On the meta device: their shapes and types."""
    hashes: tuple[str, ...]
    """SHA-256 of each file."""

    def __str__(self) -> str:
        """Names the files in messages."""
        return self.files[0] if len(self.files) == 1 else f"{self.files[0]}, …"


@dataclass(frozen=True)
class WeightFormat:
    """A format of weight files, as `save_pretrained` names them: one file, or several that are numbered."""

    name: re.Pattern[str]
    patterns: tuple[str, ...]
    """The same for downloads from the hub."""
    describe: Callable[[Path], Tensors]
    """Returns a file's tensors on the meta device."""
    describe_on_hub: Callable[[str, str, str], Tensors]
    """The same for a file on the hub, of which only parts are downloaded: repository, commit, file."""
    load: Callable[[Path], Tensors]

    def of(self, names: Sequence[str]) -> list[str]:
        """Returns those of some names that have this format, in order."""
        return sorted(name for name in names if self.name.fullmatch(name))

    def total(self, name: str) -> int:
        """Returns how many weight files a checkpoint has that includes this one."""
        match = self.name.fullmatch(name)
        assert match is not None
        return int(match["files"] or 1)


def weight_files(folder: Path) -> tuple[WeightFormat, list[Path]]:
    """Returns the weight files of a folder, in order, and their format: safetensors where there are both."""
    format_, names = choose_format([file.name for file in folder.iterdir()])
    return format_, [folder / name for name in names]


def describe_weights(folder: Path) -> Tensors:
    """Returns all tensors of a folder's weight files on the meta device, without loading them.

    Raises:
        ModulesError: If a file cannot be read.
    """
    format_, files = weight_files(folder)
    tensors: Tensors = {}
    for file in files:
        status = os.stat(file)
        tensors |= _described(format_, file, status.st_size, status.st_mtime_ns)
    return tensors


def load_weights(folder: Path) -> Tensors:
    """Returns all tensors of a folder's weight files.

    Raises:
        ModulesError: If a file cannot be read.
    """
    format_, files = weight_files(folder)
    tensors: Tensors = {}
    for file in files:
        tensors |= format_.load(file)
    return tensors


def not_finite(folder: Path) -> str:
    """Names the first tensor that is not finite in float32, with its file; an empty text where none is."""
    format_, files = weight_files(folder)
    return next(
        (
            f"{file}: {key} holds numbers that are not finite"
            for file in files
            for key, tensor in format_.load(file).items()
            if not tensor.float().isfinite().all()
        ),
        "",
    )


def choose_format(names: Sequence[str]) -> tuple[WeightFormat, list[str]]:
    """Returns the format that a checkpoint with files of these names is read in, and its weight files, in order."""
    return next(((one, found) for one in FORMATS if (found := one.of(names))), (FORMATS[0], []))


def missing_weights(name: str, files: Sequence[str]) -> ModulesError:
    """Returns the error of a checkpoint of which none of the files holds weights that can be read."""
    others = (f"; {file} {reason}" for known, reason in UNREAD for file in sorted(files) if known.fullmatch(file))
    hint = next(others, "")
    return ModulesError(f"backbone {name!r} has no weights: neither model.safetensors nor pytorch_model.bin{hint}")


@functools.lru_cache(maxsize=64)
def _described(format_: WeightFormat, file: Path, size: int, modified: int) -> Tensors:
    return format_.describe(file)


def _describe_safetensors(file: Path) -> Tensors:
    _refuse_other(file)
    try:
        with safe_open(file, framework="pt") as opened:
            slices = {key: opened.get_slice(key) for key in opened.keys()}  # noqa: SIM118 - it is no mapping
            found = {key: (part.get_shape(), part.get_dtype()) for key, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise ModulesError(f"{file} cannot be read as safetensors: {error}") from error
    return {key: _without_values(shape, dtype, f"{file}: {key}") for key, (shape, dtype) in found.items()}


def _safetensors_on_hub(repository: str, commit: str, file: str) -> Tensors:
    shown = f"{repository}/{file}"
    try:
        found = huggingface_hub.HfApi().parse_safetensors_file_metadata(repository, file, revision=commit).tensors
    except SafetensorsParsingError as error:
        raise ModulesError(f"{shown} cannot be read as safetensors: {_first_sentence(error)}") from error
    return {key: _without_values(one.shape, one.dtype, f"{shown}: {key}") for key, one in found.items()}


def _without_values(shape: Sequence[int], dtype: str, shown: str) -> Tensor:
    """Returns a tensor on the meta device, of a type that is read, given by its name in safetensors."""
    if dtype not in DTYPES:
        raise ModulesError(f"{shown} has type {dtype}; types that are read: {', '.join(DTYPES)}")
    return torch.empty(shape, dtype=DTYPES[dtype], device="meta")


def load_safetensors(file: Path) -> Tensors:
    """Returns the tensors of a file of safetensors."""
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise ModulesError(f"{file} cannot be read as safetensors: {error}") from error


def _describe_pickle(file: Path) -> Tensors:
    _refuse_other(file)
    return _unpickled(file, file, map_location="meta")  # which reads no more of a zip archive than its table


def _pickle_on_hub(repository: str, commit: str, file: str) -> Tensors:
    with huggingface_hub.HfFileSystem().open(f"{repository}@{commit}/{file}", "rb") as stream:
        return _unpickled(stream, f"{repository}/{file}", map_location="meta")


def load_pickle(file: Path) -> Tensors:
    """Returns the tensors of a pickle, which may hold nothing else."""
    # Only a zip archive can be mapped into memory instead of being copied there.
    return _unpickled(file, file, map_location="cpu", mmap=zipfile.is_zipfile(file))


def _unpickled(source: Path | IO[bytes], shown: Path | str, **options: Any) -> Tensors:
    try:
        with warnings.catch_warnings(action="ignore"):
            tensors = torch.load(source, weights_only=True, **options)
    except requests.RequestException:  # of the hub, where the source may lie
        raise
    except Exception as error:  # A damaged file fails in any part of the unpickler and of the zip reader.
        if wanted := FOREIGN_CODE.search(str(error)):
            what = f"it asks to run {wanted[1]}, which no file of weights needs; nothing was run"
            raise ModulesError(f"{shown} is refused: {what}") from error
        raise ModulesError(f"{shown} cannot be read as PyTorch weights: {_first_sentence(error)}") from error
    if not isinstance(tensors, dict):
        raise ModulesError(f"{shown} holds a {type(tensors).__name__}, not tensors by name")
    for key, tensor in tensors.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise ModulesError(f"{shown}: {key!r} is no plain tensor")
        if tensor.dtype not in DTYPES.values():
            raise ModulesError(f"{shown}: the tensor {key} has type {tensor.dtype}, which is not read")
    return {key: tensor.detach() for key, tensor in tensors.items()}


def _refuse_other(file: Path) -> None:
    """Refuses what is no file of weights but has the name of one: a pipe, which would block, or a pointer of Git."""
    if not file.is_file():
        raise ModulesError(f"{file} is no regular file")
    with file.open("rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise ModulesError(f"{file} is only a pointer to the weights; `git lfs pull` fetches them")


def _first_sentence(error: Exception) -> str:
    return re.split(r"\n|\. ", str(error).strip() or type(error).__name__)[0]


FORMATS = (
    WeightFormat(
        name=re.compile(r"model(-\d+-of-(?P<files>\d+))?\.safetensors"),
        patterns=("model.safetensors", "model-*-of-*.safetensors"),
        describe=_describe_safetensors,
        describe_on_hub=_safetensors_on_hub,
        load=load_safetensors,
    ),
    WeightFormat(
        name=re.compile(r"pytorch_model(-\d+-of-(?P<files>\d+))?\.bin"),
        patterns=("pytorch_model.bin", "pytorch_model-*-of-*.bin"),
        describe=_describe_pickle,
        describe_on_hub=_pickle_on_hub,
        load=load_pickle,
    ),
)
"""The formats that are read, the preferred one first."""
