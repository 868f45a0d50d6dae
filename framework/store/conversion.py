"""Components to and from the formats of other libraries."""

from pathlib import Path

import torch
from torch import Tensor

from framework.errors import UserError, did_you_mean
from framework.identity import plain
from framework.store.backbone_choice import BackboneChoice
from framework.store.fetching import fetch_saved
from framework.store.identities import imported_identity
from framework.store.store import PASSPORT, Passport, Store, parameter_count, part_of
from framework.system.atomic_files import filled_folder
from framework.system.provenance import made
from modules import ROLES, BackboneConfig, ModulesError, component_class, load_backbone
from modules.formats import FORMATS, Part
from modules.formats.base import CONFIG, read_config


def export(store: Store, prefix: str, folder: Path, format_name: str, backbone: str | None) -> Passport:
    """Writes the component whose identity begins with the prefix as another library would have saved it.

    Its backbone is looked up where it was, or where `backbone` says that it is now.

    Raises:
        UserError: The folder holds something, or the backbone is another or was pretrained here.
        ModulesError: The other library has no such component, or the backbone cannot be had.
    """
    if format_name not in FORMATS:
        near = did_you_mean(format_name, FORMATS)
        raise UserError(f"unknown format {format_name!r}{near} (known: {', '.join(FORMATS)})")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: holds something else; name an empty folder or a new one")
    passport = store.find(prefix)
    _refuse_pretrained(passport)
    config = BackboneConfig(name=backbone) if backbone else passport.backbone_config
    loaded = load_backbone(config)
    state = store.read(passport.id, BackboneChoice(config, loaded.info).passport)
    parts = {kind: Part(settings, part_of(state, slot)) for slot, kind, settings in passport.component_configs()}
    with filled_folder(folder) as target:
        FORMATS[format_name].write(loaded, parts, target, name="-".join([*passport.languages[:1], passport.id[:8]]))
    return passport


def _refuse_pretrained(passport: Passport) -> None:
    """Refuses a component of a backbone that a `pretrain` stage trained: no other library finds that in the store."""
    pretraining = passport.backbone["weights"]
    if pretraining in passport.needs:
        raise UserError(
            f"{passport.id}: its backbone was trained by the pretrain stage {pretraining}, and other libraries load "
            "only backbones as published; `modulingua components push` shares it with that stage, or train it on a "
            "backbone with published weights, without `pretrain`"
        )


def import_saved(store: Store, place: str, stage: str, languages: list[str], backbone: BackboneConfig) -> Passport:
    """Puts what another library saved into the store; for its identity see `imported_identity`.

    Args:
        store: Where it goes.
        place: What the other library saved: a folder, or `OWNER/NAME[@REVISION]` on the hub.
        stage: `language` or `task`: the role that it is to serve in.
        languages: FLORES codes of its languages.
        backbone: What carries it.

    Raises:
        UserError: The stage is none, a language component has no language, or the place holds nothing of the kind.
        ModulesError: It is nothing that this version has, or not of this backbone, or the hub refuses it.
        NetworkError: The hub cannot be asked.
    """
    if stage not in ROLES:
        raise UserError(f"--as {stage}: a component serves as {' or '.join(ROLES)}{did_you_mean(stage, ROLES)}")
    if stage == "language" and not languages:
        raise UserError("--language: a language component needs its language, such as hau_Latn")
    folder, origin = fetch_saved(place)
    if (folder / PASSPORT).is_file() and not (folder / CONFIG).is_file():
        command = f"`modulingua components pull {place}`"
        raise UserError(f"{folder}: a component of Modulingua; {command} puts it into the store")
    settings = read_config(folder)
    reader = next((known for known in FORMATS.values() if known.reads(settings)), None)
    if reader is None:
        raise UserError(f"{folder}: its adapter_config.json is of neither {' nor '.join(FORMATS)}")
    loaded = load_backbone(backbone)
    parts = reader.read(loaded, folder)
    state: dict[str, Tensor] = {}
    for kind, part in parts.items():
        if reason := part.config.incompatibility(loaded.info):
            raise ModulesError(f"{folder}: {kind}: {reason}")
        outline = component_class(kind).outline(part.config, loaded.info)
        found, needed = ({name: tensor.shape for name, tensor in state.items()} for state in (part.state, outline))
        if found != needed:
            raise ModulesError(f"{folder}: its {kind} does not have the shapes that {loaded.info.name} requires")
        state |= {f"{stage}.{kind}/{name}": tensor.contiguous() for name, tensor in part.state.items()}
    components = {f"{stage}.{kind}": plain(part.config) for kind, part in parts.items()}
    carrier = BackboneChoice(backbone, loaded.info).passport
    title = f"{' + '.join(parts)} from {origin}"
    passport = Passport(
        id=imported_identity(state, components, languages, carrier),
        stage=stage,
        title=f"{title} · {', '.join(languages)}" if languages else title,
        backbone=carrier,
        components=components,
        languages=languages,
        data=[],
        training={"made_by": f"imported from {origin}"},
        parameters=parameter_count(state),
        metrics={},
        notes=[f"A component was imported ({origin}): what it was trained on is not known here."],
        made=made(),
    )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise UserError(f"{folder}: its weights hold numbers that are not finite")
    store.write(passport, state, [])
    return passport
