"""The component store: trained components with the passports that say what they are.

One folder per trained stage, named by the stage's identity:

    store/<identity>/passport.json           what it is, how it was trained, the weights' SHA-256
    store/<identity>/components.safetensors  the weights, as "<role>.<kind>/<parameter>"; and "vocabulary/kept",
                                             the ids of the tokens that a pretraining kept, if not all
    store/<identity>/history.jsonl           loss and validation scores by step
    store/.unfinished/<identity>.claim       who is training it now (see framework/system/locks.py)
    store/.unfinished/<identity>.checkpoint  how far its training came (see framework/execution/checkpoint.py)
"""

import contextlib
import dataclasses
import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, safe_open
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on only

from framework.errors import UserError, did_you_mean
from framework.system.atomic_files import names_in, remove_folder, sha256, whole_folder
from framework.system.stored_files import Damaged, first_reason, read_stored, read_stored_lines
from framework.validation import validate
from modules import BackboneConfig, component_config

if TYPE_CHECKING:  # lists of components need no torch
    from torch import Tensor

WEIGHTS = "components.safetensors"
PASSPORT = "passport.json"
HISTORY = "history.jsonl"
UNFINISHED = ".unfinished"
HEAD = "head"
"""The slot of a task's head among the weights."""
KEPT_TOKENS = "vocabulary/kept"
"""Name of the ids of the tokens [number] that a pretraining kept, among its weights; absent if it kept all."""


BACKBONE = ("name", "revision", "weights", "tokenizer")
"""What a passport says of its backbone."""


def _identity(text: str) -> str:
    """Checks what becomes the name of a folder."""
    if not re.fullmatch(r"[\w-]+", text):
        raise ValueError(f"{text[:80]!r} is no component's id")
    return text


Identity = Annotated[str, AfterValidator(_identity)]
"""The identity of a stage."""


def _whole_backbone(backbone: dict[str, str]) -> dict[str, str]:
    """Checks what names a backbone: all of it is there, and can be a path."""
    if missing := [what for what in BACKBONE if not backbone.get(what)]:
        raise ValueError(f"{missing[0]} is missing")
    if "\0" in backbone["name"]:
        raise ValueError("the name holds a null character")
    return backbone


class _Steps(TypedDict):
    steps: int


class _Parent(TypedDict):
    weight: float
    components: list[str]


class _Training(TypedDict):
    """What is read again of how components were trained, merged or imported; there may be more."""

    training: NotRequired[_Steps]
    batch_size: NotRequired[int]
    objective: NotRequired[dict[str, Any] | list[Any] | None]
    made_by: NotRequired[str]
    parents: NotRequired[list[_Parent]]


_TRAINING = TypeAdapter(_Training)


def _whole_training(training: dict[str, Any]) -> dict[str, Any]:
    if "training" in training and "batch_size" not in training:
        raise ValueError("batch_size is missing")
    try:
        _TRAINING.validate_python(training, strict=True)
    except ValidationError as error:
        raise ValueError(first_reason(error)) from None
    return training


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Passport:
    """What travels with a trained stage's components."""

    id: Identity
    """The stage's identity."""
    stage: str
    """`pretrain`, `language` or `task`."""
    title: str
    """What was trained, for a person."""
    backbone: Annotated[dict[str, str], AfterValidator(_whole_backbone)]
    """Name, revision, hash of the weights and hash of the tokenizer."""
    components: dict[str, dict[str, Any]]
    """Slot (`language.adapter`) -> configuration."""
    languages: list[str]
    """Languages that it was trained on."""
    data: list[str]
    """Fingerprints of the data that it was trained on."""
    training: Annotated[dict[str, Any], AfterValidator(_whole_training)]
    """Objective, steps, optimiser, batch size, seed, and the precision that it was computed in."""
    parameters: int
    """Trained parameters."""
    metrics: dict[str, float]
    """The last values of the training curves."""
    answers: dict[str, Any] = field(default_factory=dict)
    """Of task components: the dataset's `task`, its `labels` in the order of the head, and the recipe of the `answer`;
    empty where that is not known (imported, or of an older version)."""
    needs: list[Identity] = field(default_factory=list)
    """Identities of the stages that it stands on."""
    notes: list[str] = field(default_factory=list)
    """What a reader of its results must know."""
    made: dict[str, str] = field(default_factory=dict)
    """When, by which versions and commit."""
    weights_sha256: str = ""
    """Hash of the weights file; the store fills it in."""
    pulled_from: str = ""
    """`owner/name@commit`, or the folder, that it was pulled from into this store; empty where it was made here."""

    @property
    def told(self) -> list[str]:
        """The notes, with the source of a pulled component."""
        if not self.pulled_from:
            return self.notes
        place = "a folder" if self.pulled_from.startswith("/") else self.pulled_from
        return [*self.notes, f"Component {self.id} was pulled from {place}: its publisher states how it was trained."]

    @property
    def kinds(self) -> dict[str, Any]:
        """The configurations by kind of component, without the role."""
        return {slot.partition(".")[2]: settings for slot, settings in self.components.items()}

    @property
    def backbone_config(self) -> BackboneConfig:
        """The backbone that carried the components, as an experiment would name it."""
        name, revision = self.backbone["name"], self.backbone["revision"]
        return BackboneConfig(name=name, revision=None if revision == "local" else revision)

    def component_configs(self) -> Iterator[tuple[str, str, Any]]:
        """Yields the components: the slot in the names of the weights, the kind and the configuration.

        Raises:
            UserError: A configuration is none that this version knows.
            ModulesError: A kind is unknown.
        """
        for key, settings in self.components.items():
            role, _, kind = key.partition(".")
            config, problems = validate(component_config(kind), settings, (key,))
            if config is None:
                raise UserError(f"{self.id}: its passport's {key}: {problems[0][1]}")
            yield f"{role}.{config.kind}", kind, config

    @property
    def parents(self) -> list[str]:
        """Identities of the stages whose components were summed into these; of trained ones none."""
        return [identity for parent in self.training.get("parents", []) for identity in parent["components"]]

    @property
    def public(self) -> "Passport":
        """The passport without what tells about this machine: what was typed, and where things lie."""
        backbone = dict(self.backbone)
        if backbone["revision"] == "local":
            backbone["name"] = f"./{Path(backbone['name']).resolve().name}"  # still no name that the hub may know
        made = {what: said for what, said in self.made.items() if what != "command"}
        return dataclasses.replace(self, backbone=backbone, made=made, pulled_from="")


_PASSPORT = TypeAdapter(Passport)
_CURVE_ROW = TypeAdapter(dict[str, float])


class Store:
    """A folder of trained components."""

    def __init__(self, folder: Path) -> None:
        """Opens the store; the folder need not be there yet."""
        self.folder = folder

    def path(self, identity: str) -> Path:
        """Returns the folder of a stage's components."""
        return self.folder / identity

    def claim(self, identity: str) -> Path:
        """Returns the file that says who trains a stage now."""
        return self.folder / UNFINISHED / f"{identity}.claim"

    def checkpoint(self, identity: str) -> Path:
        """Returns the file of a stage whose training goes on."""
        return self.folder / UNFINISHED / f"{identity}.checkpoint"

    def has(self, identity: str) -> bool:
        """Says whether a stage's components are there. Its folder appears whole or not at all."""
        return (self.path(identity) / PASSPORT).is_file()

    def write(self, passport: Passport, state: Mapping[str, "Tensor"], history: list[dict[str, float]]) -> None:
        """Puts a stage's components into the store, whole or not at all; its checkpoint is then of no more use.

        The weights are given by name, the history by logged step; `weights_sha256` of the passport is filled in here.
        """
        from safetensors.torch import save_file

        with whole_folder(self.path(passport.id)) as folder:
            save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / WEIGHTS)
            passport = dataclasses.replace(passport, weights_sha256=sha256(folder / WEIGHTS))
            (folder / HISTORY).write_text("".join(json.dumps(row) + "\n" for row in history))
            write_passport(folder, passport)
        self._drop_checkpoint(passport.id)

    def sweep(self, identity: str) -> None:
        """Removes what processes that were killed while writing left of a stage; call it with the stage's claim."""
        for folder in self.folder.glob(f".{identity}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.folder / UNFINISHED).glob(f".{identity}.*.tmp"):
            with contextlib.suppress(PermissionError):  # a colleague's, in a shared store
                file.unlink(missing_ok=True)

    def passport(self, identity: str) -> Passport:
        """Reads a passport.

        Raises:
            UserError: The file cannot be read.
        """
        try:
            return read_passport(self.path(identity))
        except Damaged as error:
            raise Damaged(f"{error}. {_again(identity)}") from error

    def read(self, identity: str, backbone: Mapping[str, str]) -> dict[str, "Tensor"]:
        """Reads a stage's weights by name, after checking that they are whole and of this `Passport.backbone`.

        Raises:
            UserError: Another backbone carried them, they are another stage's, or the file is damaged.
        """
        from safetensors.torch import load_file

        passport, folder = self.passport(identity), self.path(identity)
        for what in ("weights", "tokenizer"):
            mine, theirs = backbone[what], passport.backbone[what]
            if theirs != mine:
                raise UserError(
                    f"{folder}: trained on another backbone: the {what} hash of {passport.backbone['name']} "
                    f"is {theirs[:12]}, that of {backbone['name']} is {mine[:12]}"
                )
        if passport.id != identity:
            raise UserError(f"{folder}: the passport is that of {passport.id}. {_again(identity)}")
        file = self._weights(identity)
        if not is_intact(file, passport.weights_sha256):
            raise UserError(f"{file}: damaged or cut short (its SHA-256 is not the passport's). {_again(identity)}")
        try:
            return load_file(file)
        except SafetensorError as error:
            raise UserError(f"{file}: not a safetensors file ({error}). {_again(identity)}") from error

    def _weights(self, identity: str) -> Path:
        """Returns the file of a stage's weights.

        Raises:
            UserError: There is none.
            OSError: It may not be read.
        """
        file = self.path(identity) / WEIGHTS
        if not file.is_file():
            raise UserError(f"{file}: no such file. {_again(identity)}")
        with file.open("rb"):  # a refusal names the file, which that of safetensors does not
            return file

    def head_size(self, identity: str) -> int:
        """Returns how many parameters the head among a stage's weights has, 0 if there is none; they are not read.

        Raises:
            UserError: There is no such file, or it is damaged.
        """
        file = self._weights(identity)
        try:
            with safe_open(file, framework="pt") as tensors:
                of_head = [name for name in tensors.keys() if name.startswith(f"{HEAD}/")]  # noqa: SIM118
                return sum(math.prod(tensors.get_slice(name).get_shape()) for name in of_head)
        except (SafetensorError, OSError, MemoryError) as error:
            raise UserError(f"{file}: cannot be read ({error}). {_again(identity)}") from error

    def history(self, identity: str) -> list[dict[str, float]]:
        """Reads the training curves of a stage.

        Raises:
            UserError: The file cannot be read.
        """
        try:
            return read_stored_lines(self.path(identity) / HISTORY, _CURVE_ROW, "a training curve")
        except Damaged as error:
            raise Damaged(f"{error}. {_again(identity)}") from error

    def readable(self) -> list[Passport]:
        """Reads the passports that can be read, in the order of their identities."""
        found = []
        for identity in self.identities():
            with contextlib.suppress(UserError):
                found.append(self.passport(identity))
        return found

    def remove(self, prefix: str) -> str:
        """Removes the stage whose identity begins with the prefix (see `one`), damaged or not; returns the identity."""
        identity = self.one(prefix)
        remove_folder(self.path(identity))
        self._drop_checkpoint(identity)  # left by a process killed right after it wrote the folder
        return identity

    def _drop_checkpoint(self, identity: str) -> None:
        with contextlib.suppress(OSError):  # of no more use, but no reason to fail either
            self.checkpoint(identity).unlink()

    def find(self, prefix: str) -> Passport:
        """Reads the passport whose identity begins with the prefix; see `one` and `passport`."""
        return self.passport(self.one(prefix))

    def identities(self) -> list[str]:
        """Names the folders of components, whole or damaged, in order; those too that may not be looked into."""
        return [name for name in names_in(self.folder) if name[0] != "." and _may_hold_passport(self.path(name))]

    def one(self, prefix: str) -> str:
        """Returns the one identity that begins with the prefix.

        Raises:
            UserError: None begins so, or several do.
        """
        known = self.identities()
        found = [identity for identity in known if identity.startswith(prefix)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{self.folder}: {prefix!r} begins {len(found)} components: {', '.join(found)}")
        raise UserError(f"{self.folder}: no component begins with {prefix!r}{did_you_mean(prefix, known)}")


def _may_hold_passport(folder: Path) -> bool:
    try:
        (folder / PASSPORT).stat()
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def is_intact(file: Path, digest: str) -> bool:
    """Says whether weights have the SHA-256 of their passport; a file of a wrong length is not read for that."""
    with file.open("rb"):  # a refusal names the file, which that of safetensors does not
        try:
            with safe_open(file, framework="np"):  # compares the length with that in the header
                pass
        except (SafetensorError, MemoryError):  # the file is mapped whole, however long it is
            return False
    return sha256(file) == digest


def backbone_name(backbone: Mapping[str, str]) -> str:
    """Names the backbone of a passport as on screen: a hub name with the commit, or the name of a local folder."""
    name, revision = backbone["name"], backbone["revision"]
    return Path(name).resolve().name if revision == "local" else f"{name}@{revision[:7]}"


def parameter_count(state: Mapping[str, "Tensor"]) -> int:
    """Returns the number of trained parameters in weights; whole numbers among them are indices."""
    return sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point())


def part_of(state: Mapping[str, "Tensor"], slot: str) -> dict[str, "Tensor"]:
    """Returns the weights of one slot (`language.adapter`, or `HEAD`), without its name."""
    return {name.removeprefix(f"{slot}/"): tensor for name, tensor in state.items() if name.startswith(f"{slot}/")}


def write_passport(folder: Path, passport: Passport) -> None:
    """Writes the passport of a component into any folder."""
    text = json.dumps(dataclasses.asdict(passport), indent=2, ensure_ascii=False)
    (folder / PASSPORT).write_text(text + "\n", encoding="utf-8")


def read_passport(folder: Path) -> Passport:
    """Reads the passport of a component in any folder.

    Raises:
        UserError: The file cannot be read.
    """
    return read_stored(folder / PASSPORT, _PASSPORT, "a passport that this version can read")


def _again(identity: str) -> str:
    return f"`modulingua components remove {identity}` and the next run trains it again"
