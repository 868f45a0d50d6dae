"""The component store: trained components with the passports that say what they are.

One folder per trained stage, named by the stage's identity:

    store/<identity>/passport.json           what it is, how it was trained, the weights' SHA-256
    store/<identity>/components.safetensors  the weights, as "<role>.<kind>/<parameter>"; and "vocabulary/kept",
                                             the ids of the tokens that a pretraining kept, if not all
    store/<identity>/history.jsonl           loss and validation scores by step
    store/.unfinished/<identity>.claim       who is training it now (see framework/claim.py)
    store/.unfinished/<identity>.checkpoint  how far its training came (see framework/checkpoint.py)
"""

import contextlib
import dataclasses
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from framework.errors import UserError, did_you_mean
from framework.files import sha256, whole_folder

WEIGHTS = "components.safetensors"
PASSPORT = "passport.json"
HISTORY = "history.jsonl"
UNFINISHED = ".unfinished"
HEAD = "head"
"""The slot of a task's head among the weights."""
KEPT_TOKENS = "vocabulary/kept"
"""Name of the ids of the tokens [number] that a pretraining kept, among its weights; absent if it kept all."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Passport:
    """What travels with a trained stage's components."""

    id: str
    """The stage's identity."""
    stage: str
    """`pretrain`, `language` or `task`."""
    title: str
    """What was trained, for a person."""
    backbone: dict[str, str]
    """Name, revision, hash of the weights and hash of the tokenizer."""
    components: dict[str, Any]
    """Slot (`language.adapter`) -> configuration."""
    languages: list[str]
    """Languages that it was trained on."""
    data: list[str]
    """Fingerprints of the data that it was trained on."""
    training: dict[str, Any]
    """Objective, steps, optimiser, batch size, seed, and the precision that it was computed in."""
    parameters: int
    """Trained parameters."""
    metrics: dict[str, float]
    """The last values of the training curves."""
    answers: dict[str, Any] = field(default_factory=dict)
    """Of task components: the dataset's `task`, its `labels` in the order of the head, and the recipe of the `answer`;
    empty where that is not known (imported, or of an older version)."""
    needs: list[str] = field(default_factory=list)
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
        """The notes and, of what was pulled, whose word they are."""
        if not self.pulled_from:
            return self.notes
        place = "a folder" if self.pulled_from.startswith("/") else self.pulled_from
        return [*self.notes, f"Component {self.id} was pulled from {place}: its publisher says how it was trained."]

    @property
    def kinds(self) -> dict[str, Any]:
        """The configurations by kind of component, without the role."""
        return {slot.partition(".")[2]: settings for slot, settings in self.components.items()}

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

    def write(self, passport: Passport, state: Mapping[str, Tensor], history: list[dict[str, float]]) -> None:
        """Puts a stage's components into the store, whole or not at all; its checkpoint is then of no more use.

        Args:
            passport: What they are; `weights_sha256` is filled in here.
            state: The weights by name.
            history: One row per logged step.
        """
        with whole_folder(self.path(passport.id)) as folder:
            save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / WEIGHTS)
            (folder / WEIGHTS).chmod(0o644)
            passport = dataclasses.replace(passport, weights_sha256=sha256(folder / WEIGHTS))
            (folder / HISTORY).write_text("".join(json.dumps(row) + "\n" for row in history))
            write_passport(folder, passport)
        self.checkpoint(passport.id).unlink(missing_ok=True)

    def sweep(self, identity: str) -> None:
        """Removes what processes that were killed while writing left of a stage; call it with the stage's claim."""
        for folder in self.folder.glob(f".{identity}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.folder / UNFINISHED).glob(f".{identity}.*.tmp"):
            file.unlink(missing_ok=True)

    def passport(self, identity: str) -> Passport:
        """Reads a passport.

        Raises:
            UserError: The file cannot be read.
        """
        try:
            return read_passport(self.path(identity))
        except UserError as error:
            raise UserError(f"{error}. {_again(identity)}") from error

    def read(self, identity: str, backbone: Mapping[str, str]) -> dict[str, Tensor]:
        """Reads a stage's weights after checking that they are whole and belong to the backbone.

        Args:
            identity: The stage.
            backbone: The backbone that is to carry them, as in `Passport.backbone`.

        Returns:
            The weights by name.

        Raises:
            UserError: Another backbone carried them, they are another stage's, or the file is damaged.
        """
        passport = self.passport(identity)
        file = self.path(identity) / WEIGHTS
        for what, mine in backbone.items():
            theirs = passport.backbone.get(what, "")
            if what in ("weights", "tokenizer") and theirs != mine:
                raise UserError(
                    f"{file.parent}: trained on another backbone: the {what} hash of {passport.backbone.get('name')} "
                    f"is {theirs[:12]}, that of {backbone.get('name')} is {mine[:12]}"
                )
        if passport.id != identity:
            raise UserError(f"{file.parent}: the passport is that of {passport.id}. {_again(identity)}")
        if not file.is_file() or sha256(file) != passport.weights_sha256:
            raise UserError(f"{file}: damaged or cut short (its SHA-256 is not the passport's). {_again(identity)}")
        try:
            with safe_open(file, framework="pt") as tensors:
                return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise UserError(f"{file}: not a safetensors file ({error}). {_again(identity)}") from error

    def head_size(self, identity: str) -> int:
        """Returns how many parameters the head among a stage's weights has, 0 if there is none; they are not read.

        Raises:
            UserError: There is no such file, or it is damaged.
        """
        file = self.path(identity) / WEIGHTS
        try:
            with safe_open(file, framework="pt") as tensors:
                of_head = [name for name in tensors.keys() if name.startswith(f"{HEAD}/")]  # noqa: SIM118
                return sum(math.prod(tensors.get_slice(name).get_shape()) for name in of_head)
        except (OSError, SafetensorError) as error:
            raise UserError(f"{file}: cannot be read ({error}). {_again(identity)}") from error

    def history(self, identity: str) -> list[dict[str, float]]:
        """Reads the training curves of a stage.

        Raises:
            UserError: The file cannot be read.
        """
        file = self.path(identity) / HISTORY
        try:
            with file.open(encoding="utf-8") as lines:
                return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise UserError(f"{file}: cannot be read ({error}). {_again(identity)}") from error

    def readable(self) -> list[Passport]:
        """Reads the passports that can be read, in the order of their identities."""
        found = []
        for identity in self.identities():
            with contextlib.suppress(UserError):
                found.append(self.passport(identity))
        return found

    def remove(self, prefix: str) -> str:
        """Removes the one stage whose identity begins with the prefix, damaged or not, and returns its identity.

        Raises:
            UserError: None begins so, or several do.
        """
        identity = self.one(prefix)
        shutil.rmtree(self.path(identity))
        self.checkpoint(identity).unlink(missing_ok=True)  # left by a process killed right after it wrote the folder
        return identity

    def find(self, prefix: str) -> Passport:
        """Finds the one passport whose identity begins with the prefix.

        Raises:
            UserError: None begins so, or several do.
        """
        return self.passport(self.one(prefix))

    def identities(self) -> list[str]:
        """Names the folders of components, whole or damaged, in order."""
        return sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{PASSPORT}"))

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


def backbone_name(backbone: Mapping[str, str]) -> str:
    """Names the backbone of a passport as on screen: a hub name with the commit, or the name of a local folder."""
    name, revision = backbone["name"], backbone["revision"]
    return Path(name).resolve().name if revision == "local" else f"{name}@{revision[:7]}"


def part_of(state: Mapping[str, Tensor], slot: str) -> dict[str, Tensor]:
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
    file = folder / PASSPORT
    try:
        return _PASSPORT.validate_json(file.read_bytes(), strict=True)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        reason = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
        raise UserError(f"{file}: not a passport that this version can read ({reason})") from error


def _again(identity: str) -> str:
    return f"`modulingua components remove {identity}` and the next run trains it again"
