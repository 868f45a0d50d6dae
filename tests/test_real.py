"""The shipped experiments with a real encoder and real data, as far as a test has time for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datamodules import ParallelConfig, ParallelData
from framework.config.load import read_experiment
from framework.errors import ExperimentError
from framework.planning.plan import EvaluateStage, LanguageStage, TaskStage, make_plan
from modules import BackboneConfig, Combination, load_backbone
from modules.training.heads import mean_pool
from tests.conftest import ROOT
from tests.framework.identities import check_identities
from tests.framework.tiny import command_line

SIB200 = ROOT / "experiments" / "sib200"


@pytest.fixture
def real(e5: Path, real_data: Path, tmp_path: Path) -> list[str]:
    """Words that put the shipped SIB-200 experiments on local files."""
    folders = {"store": tmp_path / "store", "runs": tmp_path / "runs"}
    return [
        f"backbone.name={e5}",
        f"data.path={real_data / 'sib200'}",
        "tracking.mode=off",
        *(f"{key}={path}" for key, path in folders.items()),
    ]


def test_all_205_languages_are_planned(real: list[str]) -> None:
    plan = make_plan(read_experiment(SIB200 / "task-adapter.yaml", real))
    [first, *_] = plan.of_type(EvaluateStage)
    assert len(first.tests) == 205
    assert [len(plan.of_type(kind)) for kind in (LanguageStage, TaskStage, EvaluateStage)] == [0, 3, 3]


def test_the_sixteen_combinations_share_what_they_can(real: list[str]) -> None:
    plan = make_plan(read_experiment(SIB200 / "all-combinations.yaml", real))
    # English is the pivot: no language component acts in the task stage, so 4 x 3 of them serve all 16 x 3 runs.
    assert [len(plan.of_type(kind)) for kind in (LanguageStage, TaskStage, EvaluateStage)] == [6, 12, 48]


def test_masked_language_modelling_is_refused_without_a_trained_head(real: list[str], real_data: Path) -> None:
    masked = f"stages.language.objective={{masked: {{text: {{dataset: texts, path: {real_data / 'mono'}}}}}}}"
    with pytest.raises(ExperimentError, match="no trained language-modelling head"):
        read_experiment(SIB200 / "prompt-adapter.yaml", [*real, masked])


def test_the_bare_encoder_finds_translations(e5: Path, real_data: Path) -> None:
    backbone = load_backbone(BackboneConfig(name=str(e5), precision="32"))
    combination = Combination(backbone)
    config = ParallelConfig(
        dataset="sib200", path=str(real_data / "sib200"), split="validation", text_prefix="query: ", max_length=64
    )
    data = ParallelData(config, backbone.tokenizer, languages=["fra_Latn"], batch_size=99)
    batch = next(iter(data.train_dataloader()))
    mask = batch["attention_mask"]
    french = mean_pool(combination.encode_backbone(batch["input_ids"], mask), mask)
    mask = batch["pivot_attention_mask"]
    english = mean_pool(combination.encode_backbone(batch["pivot_input_ids"], mask), mask)
    cosines = torch.nn.functional.normalize(english, dim=-1) @ torch.nn.functional.normalize(french, dim=-1).T
    assert (cosines.argmax(-1) == torch.arange(99)).float().mean() > 0.98


@pytest.mark.slow
def test_a_short_run_and_its_predictions(real: list[str], tmp_path: Path) -> None:
    experiment = SIB200 / "prompt-adapter.yaml"
    short = {
        "languages.targets": "[swh_Latn]",
        "seeds": "[0]",
        "stages.language.training.steps": 8,
        "stages.language.training.warmup_steps": 1,
        "stages.task.training.steps": 80,
        "stages.task.validate_every": 80,
    }
    done = command_line("run", experiment, *real, *(f"{key}={value}" for key, value in short.items()))
    assert done.returncode == 0, done.stderr
    [run] = (tmp_path / "runs" / "sib200-prompt-adapter").glob("*/run.json")
    result = json.loads((run.parent / "results" / "own" / "swh_Latn.json").read_text())
    assert result["examples"] == 204
    # Always guessing the commonest topic gives .25.
    assert result["scores"]["accuracy"] > 0.4


@pytest.mark.slow
def test_a_real_decoder_chooses_among_label_words(smollm2: Path, real_data: Path, tmp_path: Path) -> None:
    changes = [
        f"backbone.name={smollm2}",
        f"data.path={real_data / 'sib200'}",
        f"stages.language.objective.causal.text={{dataset: texts, path: {real_data / 'mono'}, max_length: 64}}",
        f"store={tmp_path / 'store'}",
        f"runs={tmp_path / 'runs'}",
        "tracking.mode=off",
    ]
    file = SIB200 / "label-words.yaml"
    plan = make_plan(read_experiment(file, changes))
    check_identities("sib200/label-words.yaml", plan)
    # Three combinations with three seeds each; no components are tested once.
    assert [len(plan.of_type(kind)) for kind in (LanguageStage, TaskStage, EvaluateStage)] == [4, 9, 10]
    prompted = make_plan(read_experiment(SIB200 / "few-shot.yaml", [word for word in changes if "causal" not in word]))
    check_identities("sib200/few-shot.yaml", prompted)
    # Without examples nothing is drawn, with seven of either kind it is.
    assert [stage.kind for stage in prompted.stages] == ["evaluate"] * (1 + 3 + 3)
    # As it is, without a training: majority is .25.
    alone = ["grid=null", "seeds=[0]", "languages.targets=[eng_Latn]"]
    done = command_line("run", file, *changes, *alone)
    assert done.returncode == 0, done.stderr
    [result] = tmp_path.glob("runs/*/*/results/own/eng_Latn.json")
    assert json.loads(result.read_text())["scores"]["accuracy"] > 0.6
