"""Every YAML that comes with Modulingua is an experiment, or a part of one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rich.console import Console

from framework.config.schema import Sections
from framework.config.yaml_file import read
from framework.planning.plan import EvaluateStage, Plan, PretrainStage, TaskStage, plan_experiment
from framework.reports.plan_table import print_tokenization
from tests.conftest import FOLDERS
from tests.framework.identities import check_identities, with_zero_weights
from tests.framework.tiny import ROOT, build_encoder, join_pairs

EXPERIMENTS = ROOT / "experiments"
FILES = sorted(EXPERIMENTS.rglob("*.yaml"))
ELSEWHERE = ("soft_language_prompts", "label-words", "few-shot")
"""Those that need a language model: test_soft_language_prompts.py and test_real.py plan and run them."""
SELF_CONTAINED = "quickstart"
"""Experiments that need neither the hub nor data."""


def name(file: Path) -> str:
    return str(file.relative_to(EXPERIMENTS))


def is_whole(file: Path) -> bool:
    return "name" in yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def roomy_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder with as many positions as real ones have."""
    folder = tmp_path_factory.mktemp("roomy") / "encoder"
    return with_zero_weights(join_pairs(build_encoder(folder, max_position_embeddings=514)))


def planned(file: Path, encoder: Path, data: Path) -> Plan:
    if file.stem.startswith(SELF_CONTAINED):
        return plan_experiment(file, [])
    [dataset] = {cell.data["data"]["name"] for cell in read(file, []).cells}
    if dataset == "table":  # its files come with it
        return plan_experiment(file, [f"backbone.name={encoder}"])
    folder = data / FOLDERS[dataset]
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}")
    words = [f"backbone.name={encoder}", f"data.path={folder}"]
    if any("pretrain" in cell.data for cell in read(file, []).cells):  # on local text instead of the hub's
        words.append(f"pretrain.objective.language_modeling.text={{dataset: texts, path: {data / 'mono'}}}")
    return plan_experiment(file, words)


def test_there_are_some() -> None:
    assert sum(map(is_whole, FILES)) >= 4
    assert (EXPERIMENTS / "sib200" / "all-combinations.yaml") in FILES


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_interpolation_has_a_value(file: Path) -> None:
    """As the file stands, without overrides: planning it so would need the hub."""
    assert [cell.unresolved for cell in read(file).cells if cell.unresolved] == []


@pytest.mark.parametrize("file", [file for file in FILES if is_whole(file)], ids=name)
def test_an_experiment_names_its_precision(file: Path) -> None:
    """So its stages have the same identities on every machine, and `launch` takes it."""
    assert {cell.data["backbone"].get("precision", "auto") for cell in read(file).cells} == {"32"}


def is_elsewhere(file: Path) -> bool:
    return file.stem in ELSEWHERE or file.parent.name in ELSEWHERE


@pytest.mark.parametrize("file", [file for file in FILES if is_whole(file) and not is_elsewhere(file)], ids=name)
def test_an_experiment_can_be_planned(
    file: Path, roomy_encoder: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    plan = planned(file, roomy_encoder, real_data)
    assert plan.of_type(EvaluateStage)
    assert plan.name in (file.stem, f"{file.parent.name}-{file.stem}")
    check_identities(name(file), plan)
    # Whoever opens the file finds how to run it.
    assert f"modulingua run {file.relative_to(ROOT)}" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", [file for file in FILES if not is_whole(file)], ids=name)
def test_a_part_can_be_read(file: Path) -> None:
    for cell in read(file, ["data.path=somewhere", "data.text_prefix=x"]).cells:
        assert set(cell.data) <= set(Sections.__dataclass_fields__)


def test_the_tokens_of_own_data_are_counted_though_its_source_has_no_test_split(
    roomy_encoder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    plan = plan_experiment(EXPERIMENTS / "own-data.yaml", [f"backbone.name={roomy_encoder}"])
    print_tokenization(plan, Console(width=160))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    splits = {"eng_Latn": "train", "spa_Latn": "test", "deu_Latn": "test"}
    assert {row[0]: row[2] for row in rows} == splits


def test_all_combinations_are_sixteen(roomy_encoder: Path, real_data: Path) -> None:
    plan = planned(EXPERIMENTS / "sib200" / "all-combinations.yaml", roomy_encoder, real_data)
    kinds = {
        (frozenset(experiment.combination["language"]), frozenset(experiment.combination["task"]))
        for experiment in plan.experiments
    }
    assert len(kinds) == len(plan.experiments) == 16


def test_adaptation_to_languages_is_planned(roomy_encoder: Path, real_data: Path) -> None:
    for name, languages, reduced in (("maft", 6, True), ("laft", 1, False)):
        plan = planned(EXPERIMENTS / f"{name}.yaml", roomy_encoder, real_data)
        [stage] = plan.of_type(PretrainStage)
        assert (len(stage.languages), stage.reduces_vocabulary) == (languages, reduced)
        assert stage.settings.objective.name == "masked"
        assert all(stage.id in task.needs for task in plan.of_type(TaskStage))


def test_the_study_of_all_languages_names_them_all(roomy_encoder: Path, real_data: Path) -> None:
    plan = planned(EXPERIMENTS / "sib200" / "task-adapter.yaml", roomy_encoder, real_data)
    assert {len(stage.tests) for stage in plan.of_type(EvaluateStage)} == {205}
