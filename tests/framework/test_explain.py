"""What `explain` says of an experiment: origins, places, examples, optimisers, jobs; and that it leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from datamodules.labelled.templates import ExamplesConfig, draw_examples
from framework.config.load import read_experiment
from framework.config.yaml_file import dotted, read
from framework.planning.plan import EvaluateStage, LanguageStage, TaskStage
from framework.reports.explain.drawing import drawing
from framework.reports.explain.examples import example_of, examples
from framework.reports.explain.origins import origins
from framework.reports.explain.token_view import LONGEST, describe_row
from modules import tokenizer_of
from tests.framework.conftest import Modulingua
from tests.framework.test_answers import GENERATION, LABEL_WORDS, WORDS, Changes, asked, untrained
from tests.framework.tiny import LABELS, SOURCE, TARGETS, Workspace, build_encoder

GRID = {"grid.combination.language": [{}, {"prompt": {"length": 3}}]}


def few_shot(folder: Path, count: int) -> Changes:
    answer = {"label_words": {**LABEL_WORDS["label_words"], "examples": {"count": count}}}
    return untrained(folder, "llama", answer) | {"data.max_length": 90}


def example(workspace: Workspace, kind: str, changes: Changes | None = None) -> dict[str, str]:
    stage = next(stage for stage in workspace.plan(changes).stages if stage.kind == kind)
    return dict(example_of(stage))


class TestOrigins:
    def test_each_value_has_its_place(self, workspace: Workspace) -> None:
        workspace.write(name="below.yaml")
        top = {"extends": ["below.yaml"], "name": "top", "stages": {"task": {"batch_size": 8}}}
        file = workspace.folder / "top.yaml"
        file.write_text(yaml.safe_dump(top, sort_keys=False), encoding="utf-8")
        overrides = ["seeds=[0, 1]", "stages.task.choose=last"]
        [experiment] = read_experiment(file, overrides)
        source = read(file, overrides)
        found = {dotted(key): (value, place) for key, value, place in origins(source, experiment)}
        assert found["name"] == ("top", "line 3")
        assert found["stages.task.batch_size"] == (8, "line 6")
        assert found["seeds"] == ([0, 1], "command line")
        assert found["stages.task.choose"] == ("last", "command line")
        assert found["stages.task.k_shot"] == (None, "default")
        assert found["slurm.stages"] == (None, "default")
        value, place = found["stages.language.objective.alignment.parallel.path"]
        assert (value, place.split()[:2]) == (str(workspace.texts), ["below.yaml", "line"])
        assert found["stages.language.objective.alignment.loss.temperature"][1] == "default"
        assert found["combination.language.prompt.length"][0] == 3
        lines = (workspace.folder / "below.yaml").read_text().splitlines()
        assert lines[int(place.rpartition(" ")[2]) - 1].strip() == "path: ${data.path}"

    def test_what_the_grid_varies_says_so(self, workspace: Workspace, modulingua: Modulingua) -> None:
        printed = modulingua("explain", workspace.write(GRID)).out.splitlines()
        [line] = [line for line in printed if line.split()[:1] == ["combination.language"]]
        assert line.rstrip().endswith("grid: 1 of 2 combinations")


class TestDrawing:
    def test_parts_are_counted_where_they_learn(self, workspace: Workspace) -> None:
        plan = workspace.plan()
        columns = [list(column.cells) for column in drawing(plan, plan.shared).columns]
        rows = {str(row[0]): row[2:] for row in zip(*columns, strict=True)}
        [language, task] = [plan.of_type(kind)[0] for kind in (LanguageStage, TaskStage)]
        # The source is the pivot, which has no components.
        assert rows["language prompt length=3"] == (f"{language.parameters:,}", "trained", "–", "frozen")
        learnt = [rows[name] for name in ("task adapter reduction_factor=8", "answer: ClassificationHead")]
        assert [row[1:] for row in learnt] == [("–", "trained", "frozen")] * 2
        assert sum(int(str(row[0]).replace(",", "")) for row in learnt) == task.parameters
        [backbone] = [row for name, row in rows.items() if name.startswith("backbone")]
        assert backbone[1:] == ("frozen",) * 3

    def test_components_of_the_source_are_under_the_task(self, workspace: Workspace) -> None:
        plan = workspace.plan(workspace.masked)
        columns = [list(column.cells) for column in drawing(plan, plan.shared).columns]
        [row] = [row for row in zip(*columns, strict=True) if row[0] == "language prompt length=3"]
        assert row[3:] == ("trained", "frozen", "frozen")

    def test_each_combination_shows_its_own_backbone(self, workspace: Workspace) -> None:
        larger = build_encoder(workspace.folder / "larger", num_hidden_layers=3)
        plan = workspace.plan({"grid.backbone.name": [str(workspace.encoder), str(larger)]})
        tables = [drawing(plan, experiment) for experiment in plan.experiments]
        first = [[list(column.cells)[0] for column in table.columns] for table in tables]
        assert [row[1] for row in first] == ["encoder", "larger"]
        assert "3 layers" in str(first[1][0])
        assert "3 layers" not in str(first[0][0])


class TestExamples:
    def test_tokens_are_those_of_the_batch(self, workspace: Workspace) -> None:
        plan = workspace.plan()
        [stage] = plan.of_type(EvaluateStage)
        shown = dict(example_of(stage))
        dataset = stage.experiment.dataset
        first = next(iter(dataset.examples(TARGETS[0], "test")))
        ids = tokenizer_of(stage.backbone.info)(first.text)["input_ids"]
        tokens = tokenizer_of(stage.backbone.info).convert_ids_to_tokens(ids)
        assert shown["tokens"] == " ".join(["[language prompt × 3]", *tokens])
        assert shown["label"] == dataset.gold(first)
        assert first.id in shown["example"]

    def test_stages_are_those_of_the_fullest_combination(self, workspace: Workspace) -> None:
        adapter, prompt = {"adapter": {}}, {"prompt": {"length": 3}}
        plan = workspace.plan({"grid.combination.language": [adapter, prompt | adapter]})
        titles = [title for title, _ in examples(plan)]
        assert titles[0].startswith("language · prompt length=3")
        assert [title.split()[0] for title in titles] == ["language", "task", "evaluate"]

    def test_prompts_stand_where_the_model_has_them(self, workspace: Workspace) -> None:
        behind = {"combination.task": {"prompt": {"length": 2, "position": "after_bos"}}}
        words = example(workspace, "evaluate", behind)["tokens"].split()
        assert " ".join(words[:9]) == "[language prompt × 3] <s> [task prompt × 2]"

    def test_masked_tokens_are_named(self, workspace: Workspace) -> None:
        shown = example(workspace, "language", workspace.masked)
        places = [part.split()[0] for part in shown["to predict"].split("  ")]
        assert places
        assert all(place.isdecimal() for place in places)
        assert "→" in shown["to predict"]

    def test_translations_are_beside_their_pivot(self, workspace: Workspace) -> None:
        assert example(workspace, "language")["its pivot"].startswith("<s> ")

    @pytest.mark.parametrize("answer", [LABEL_WORDS, GENERATION], ids=["label_words", "generation"])
    def test_answers_in_words_are_shown(self, workspace: Workspace, tmp_path: Path, answer: Changes) -> None:
        shown = example(workspace, "task", asked(tmp_path, "llama", answer))
        wanted = [f"if {label}" for label in LABELS] if answer is LABEL_WORDS else ["to write"]
        assert all(shown[key] for key in wanted)
        assert "as a text" in shown

    def test_shown_examples_stand_in_the_prompt(self, workspace: Workspace, tmp_path: Path) -> None:
        plan = workspace.plan(few_shot(tmp_path, 2))
        [*_, (title, parts)] = examples(plan)
        assert title.startswith("evaluate")
        [stage] = plan.of_type(EvaluateStage)
        dataset = stage.experiment.dataset
        drawn = draw_examples(dataset, ExamplesConfig(count=2), SOURCE, stage.seed)
        asked = next(iter(dataset.examples(TARGETS[0], "test")))
        # The tiny tokenizer has no line breaks.
        answered = " ".join(f"{shown.text} {WORDS[dataset.gold(shown)]}" for shown in drawn)
        assert dict(parts)["as a text"] == f"{answered} {asked.text}"

    def test_the_middle_of_a_long_row_is_left_out(self, workspace: Workspace) -> None:
        tokenizer = tokenizer_of(workspace.plan().stages[0].backbone.info)
        ids = torch.full((1, LONGEST + 7), 5)
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        [(_, tokens)] = describe_row(batch, tokenizer, (), ([], []))
        assert "… 7 more …" in tokens


class TestCommand:
    def test_all_is_said_and_nothing_is_left(self, workspace: Workspace, modulingua: Modulingua) -> None:
        file = workspace.write({**GRID, "slurm": {"time": "1:00:00"}})
        answer = modulingua("explain", file)
        assert (answer.code, answer.err) == (0, "")
        headings = [line.removeprefix("── ") for line in answer.out.splitlines() if line.startswith("── ")]
        assert headings[:5] == ["Settings", "Combinations", "Optimisers", "Examples as the model sees them", "Jobs"]
        assert "#SBATCH --time=1:00:00" in answer.out
        assert {"task adapter", "language prompt + task adapter"} <= {line.strip() for line in answer.out.splitlines()}
        assert list(workspace.folder.iterdir()) == [file]

    def test_rates_are_those_of_the_optimiser(self, workspace: Workspace, modulingua: Modulingua) -> None:
        changes = {"stages.task.training.learning_rates": {"head": 0.5}, "stages.task.training.warmup_steps": 1}
        rows = [line.split() for line in modulingua("explain", workspace.write(changes)).out.splitlines()]
        rates = {row[4]: row[6] for row in rows if row[:4] == ["task:", "adapter", "+", "head"]}
        assert rates == {"adapter": "0.01", "head": "0.5"}

    def test_rates_of_a_grid_are_all_there_once(self, workspace: Workspace, modulingua: Modulingua) -> None:
        changes = {"grid.stages.task.training.optimizer.lr": [0.01, 0.5], "seeds": [0, 1]}
        rows = [line.split() for line in modulingua("explain", workspace.write(changes)).out.splitlines()]
        rates = [(row[4], row[6]) for row in rows if row[:4] == ["task:", "adapter", "+", "head"]]
        assert rates == [("adapter", "0.01"), ("head", "0.01"), ("adapter", "0.5"), ("head", "0.5")]

    def test_a_sum_is_explained(self, workspace: Workspace, modulingua: Modulingua) -> None:
        given = {"reuse": {"language": {"swh_Latn": "0.5*eng_Latn + 0.5*hau_Latn"}}, **workspace.masked}
        answer = modulingua("explain", workspace.write(given))
        assert (answer.code, answer.err) == (0, "")
        assert "Examples as the model sees them" in answer.out

    def test_brackets_and_colons_are_no_markup(self, workspace: Workspace, modulingua: Modulingua) -> None:
        setup = "echo [bold] [/INST] :key:"
        answer = modulingua("explain", workspace.write({"slurm": {"time": "1:00:00", "setup": [setup]}}))
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.count(setup) >= 2  # among the settings and in the script


class TestFewShot:
    def test_too_many_examples_are_a_mistake_of_the_plan(
        self, workspace: Workspace, tmp_path: Path, modulingua: Modulingua
    ) -> None:
        answer = modulingua("plan", workspace.write(few_shot(tmp_path, 29)))
        assert answer.code == 2
        assert "stages.task.answer.label_words.examples" in answer.err
        assert "the train split holds 28 examples, not 29" in answer.err

    def test_a_prompt_without_room_is_a_mistake_of_the_plan(
        self, workspace: Workspace, tmp_path: Path, modulingua: Modulingua
    ) -> None:
        answer = modulingua("plan", workspace.write(few_shot(tmp_path, 28)))
        assert answer.code == 2
        assert "template and examples alone are longer than 90 tokens" in answer.err
        assert modulingua("plan", workspace.write(few_shot(tmp_path / "again", 2))).code == 0
