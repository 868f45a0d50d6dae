"""Reads an experiment file: one `Experiment` per cell of its grid, or one error that holds every mistake."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from datamodules import DataError, DatasetConfig, dataset_class
from framework.answers import ANSWERS, Answer
from framework.config.checks import check as find_problems
from framework.config.schema import Experiment, PretrainConfig, Sections, StagesConfig, combination_name
from framework.config.yaml_file import ExperimentSource, GridCell, dotted, read
from framework.errors import ExperimentError, Mistake, UserError, did_you_mean
from framework.identity import identity
from framework.objectives import OBJECTIVES, LanguageModelingObjective, Objective
from framework.system.imports import imported_class
from framework.system.yaml_documents import Key
from framework.validation import MOST, Problem, belongs, rename_keys, validate
from modules import ROLES, ModulesError, component_config, inspect_backbone

SectionReader = Callable[[Any, Any, Key], tuple[Any, list[Problem]]]
"""Turns the type, the data and the key of a section into the typed section and what is wrong with it."""

RUNS = 1_000
"""Most runs of one experiment."""

OUTSIDE_IDENTITY = ("stages.evaluate", "name", "trainer", "slurm", "tracking", "define", "store", "runs")
"""Settings that are not part of a run's identity."""

COMBINATION_KEYS = ("combination", "combination.language", "combination.task")
"""Grid keys that a combination's name tells already."""


def read_experiment(
    file: Path, overrides: list[str] | None = None, *, here: bool = True, check: bool = True
) -> list[Experiment]:
    """Reads and checks an experiment file.

    Args:
        file: The experiment's YAML.
        overrides: `key=value` words that win over the file.
        here: Whether it is to be carried out on this machine, which then must have the devices.
        check: Whether to look at the backbone and the data too; what a run saved of itself needs no data any more.

    Returns:
        One experiment per cell of the grid, in the grid's order.

    Raises:
        ExperimentError: The experiment has mistakes; all of them are in it.
    """
    source = read(file, overrides)
    problems: dict[Problem, None] = {}
    found_sections = []
    for cell in source.cells:
        renamed = rename_keys(cell.data)
        sections, found = _sections(cell)
        found += renamed if check else []
        sections = _for_backbone(sections)
        found += find_problems(sections, here=here) if check else []
        problems.update(dict.fromkeys(found))
        if not found:
            found_sections.append(sections)
    if problems:
        raise ExperimentError(str(file), [Mistake(dotted(key), reason, source.place(key)) for key, reason in problems])
    count = sum(len(sections["seeds"]) for sections in found_sections)
    if count > RUNS:
        reason = f"{count:,} runs, one for each combination and seed, are more than {RUNS:,}"
        raise ExperimentError(str(file), [Mistake("seeds", reason, source.place(("seeds",)))])
    if mistakes := _indistinct_cells(source):
        raise ExperimentError(str(file), mistakes)
    labels = _labels([Sections(**sections) for sections in found_sections], source.cells)
    experiments = []
    for sections, label, cell in zip(found_sections, labels, source.cells, strict=True):
        grid_values = {key: value for key, value in cell.settings.items() if key.split(".")[0] != "combination"}
        experiments.append(Experiment(**sections, label=label, grid_values=grid_values, document=cell.data))
    return experiments


def _sections(cell: GridCell) -> tuple[dict[str, Any], list[Problem]]:
    """Validates each section on its own, so that a mistake in one does not hide those in another."""
    hints = get_type_hints(Sections)
    sections: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in dataclasses.fields(Sections):
        data = cell.data.get(field.name)
        if data is not None:
            read_section: SectionReader = SECTIONS.get(field.name, validate)
            section, found = read_section(hints[field.name], data, (field.name,))
            unresolved = {key: reason for key, reason in cell.unresolved.items() if key[0] == field.name}
            others = [(key, why) for key, why in found if not any(key[: len(above)] == above for above in unresolved)]
            found = [*unresolved.items(), *others]
            problems += found
            if not found:
                sections[field.name] = section
        elif field.default is not dataclasses.MISSING:
            sections[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            sections[field.name] = field.default_factory()
        else:
            problems.append(((field.name,), "is required"))
    unknown = [name for name in cell.data if name not in hints]
    for name in unknown[:MOST]:
        near = belongs(Sections, name) or did_you_mean(name, hints)
        problems.append(((name,), f"unknown key{near} (known: {', '.join(sorted(hints))})"))
    if len(unknown) > MOST:
        problems.append(((), f"{len(unknown) - MOST:,} more keys are unknown"))
    return sections, problems


def _combination(type_: Any, data: Any, key: Key) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Types each component by its kind's configuration."""
    raw, problems = validate(dict[str, dict[str, dict[str, Any] | None] | None], data, key)
    typed: dict[str, dict[str, Any]] = {role: {} for role in ROLES}
    for role, components in (raw or {}).items():
        if role not in ROLES:
            reason = f"unknown role{did_you_mean(role, ROLES)} (known: {', '.join(ROLES)})"
            problems.append(((*key, role), reason))
            continue
        for kind, settings in (components or {}).items():
            if settings is None:  # `adapter: null` takes away what an extended file put there
                continue
            try:
                config_type = component_config(kind)
            except ModulesError as error:
                problems.append(((*key, role, kind), str(error)))
                continue
            typed[role][kind], found = validate(config_type, settings, (*key, role, kind))
            problems += found
    return typed, problems


def _data(type_: Any, data: Any, key: Key) -> tuple[DatasetConfig | None, list[Problem]]:
    """Types the section by the dataset that it names: a dataset may have settings of its own."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        section, problems = validate(DatasetConfig, data, key)
        return section, problems
    try:
        return validate(dataset_class(data["name"]).Config, data, key)
    except DataError as error:
        return None, [((*key, "name"), str(error))]


def _stages(type_: Any, data: Any, key: Key) -> tuple[StagesConfig | None, list[Problem]]:
    stages, problems = validate(type_, data, key)
    if stages is not None and stages.language is not None:
        language, found = _with_one(stages.language, "objective", (*key, "language"))
        stages, problems = dataclasses.replace(stages, language=language), problems + found
    if stages is not None and stages.task is not None and stages.task.answer is not None:
        task, found = _with_one(stages.task, "answer", (*key, "task"))
        stages, problems = dataclasses.replace(stages, task=task), problems + found
    return stages, problems


def _pretrain(type_: Any, data: Any, key: Key) -> tuple[PretrainConfig | None, list[Problem]]:
    pretrain, problems = validate(type_, data, key)
    if pretrain is None:
        return None, problems
    return _with_one(pretrain, "objective", key)


NAMED: dict[str, tuple[Mapping[str, type], type]] = {"objective": (OBJECTIVES, Objective), "answer": (ANSWERS, Answer)}
"""By field of a stage our classes, one of which it names, and the base of all, also of the user's own."""


def _with_one(stage: Any, field: str, key: Key) -> tuple[Any, list[Problem]]:
    """Types the one thing, such as the objective, that a field of a stage names with its settings."""
    key = (*key, field)
    choice = getattr(stage, field)
    if not isinstance(choice, dict) or len(choice) != 1:
        return stage, [(key, f"must name one {field} and its settings (known: {', '.join(NAMED[field][0])})")]
    [(name, settings)] = choice.items()
    try:
        class_ = _named_class(field, name)
    except UserError as error:
        return stage, [((*key, name), str(error))]
    typed, problems = validate(class_, settings or {}, (*key, name))
    return dataclasses.replace(stage, **{field: typed}), problems


def _named_class(field: str, name: str) -> type:
    """Returns the class of ours that has a name, or the user's own that has a dotted path.

    Raises:
        UserError: There is no such class.
    """
    known, base = NAMED[field]
    if name in known:
        return known[name]
    if "." not in name:
        raise UserError(f"unknown {field} {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")
    found = imported_class(field, name, base)
    if not dataclasses.is_dataclass(found):
        raise UserError(f"{field} {name!r} is not a dataclass of settings")
    return found


def _for_backbone(sections: dict[str, Any]) -> dict[str, Any]:
    """Puts in the objectives that a YAML leaves to the family of the backbone, where that is known."""
    pretrain, stages = sections.get("pretrain"), sections.get("stages")
    if "backbone" not in sections or not any(map(_is_left_open, (pretrain, stages and stages.language))):
        return sections
    try:
        family = inspect_backbone(sections["backbone"]).family
    except ModulesError:
        return sections  # the checks say so

    def settled(stage: Any) -> Any:
        return dataclasses.replace(stage, objective=stage.objective.of(family)) if _is_left_open(stage) else stage

    more = {"pretrain": settled(pretrain)} if pretrain is not None else {}
    if stages is not None:
        more["stages"] = dataclasses.replace(stages, language=settled(stages.language))
    return sections | more


def _is_left_open(stage: Any) -> bool:
    return stage is not None and isinstance(stage.objective, LanguageModelingObjective)


SECTIONS: dict[str, SectionReader] = {
    "combination": _combination,
    "data": _data,
    "stages": _stages,
    "pretrain": _pretrain,
}
"""Sections whose types depend on what they name."""


def _indistinct_cells(source: ExperimentSource) -> list[Mistake]:
    """Finds grid keys whose values make cells that are one run, of which the plan would hold only the first."""
    seen: dict[str, tuple[GridCell, dict[str, Any]]] = {}
    found: dict[str, Mistake] = {}
    for cell in source.cells:
        settings = {**cell.data, **{f"stages.{name}": stage for name, stage in cell.data["stages"].items()}}
        settings["accelerator"] = (cell.data.get("trainer") or {}).get("accelerator")  # `precision: auto` depends on it
        del settings["stages"]
        outside = {name: settings.pop(name, None) for name in OUTSIDE_IDENTITY}
        first, others = seen.setdefault(identity(**settings), (cell, outside))
        if differing := [name for name in OUTSIDE_IDENTITY if outside[name] != others[name]]:
            key = next(key for key, value in cell.settings.items() if value != first.settings[key])
            reason = (
                f"makes cells that differ only in {' and '.join(differing)}, which a run's identity does not contain: "
                "they would be one run, with the settings of the first; give one value, or write several experiments"
            )
            found.setdefault(key, Mistake(f"grid.{key}", reason, source.place(("grid", key))))
    return list(found.values())


def _labels(experiments: list[Sections], cells: list[GridCell]) -> list[str]:
    """Names each cell by its components, and by the grid's values where components alone do not tell cells apart."""
    names = [_name(experiment) for experiment in experiments]
    varied = {key for cell in cells for key in cell.settings if key not in COMBINATION_KEYS}
    labels = []
    for name, cell in zip(names, cells, strict=True):
        extras = [f"{key.rpartition('.')[2]}={cell.settings[key]}" for key in cell.settings if key in varied]
        labels.append(" · ".join([name, *extras]) if names.count(name) > 1 else name)
    return labels


def _name(experiment: Sections) -> str:
    if not any(experiment.combination.values()) and experiment.data is not None and experiment.answer.needs_lm_head:
        return "no components"  # and no head of ours either
    return combination_name(experiment.combination)
