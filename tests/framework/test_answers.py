"""The ways to answer, from the experiment's YAML to results and predictions."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framework.execution.predict import predict_lines
from framework.planning.plan import EvaluateStage, TaskStage
from modules.training.unparsed import UNPARSED
from tests.framework.conftest import Modulingua
from tests.framework.tiny import LABELS, LANGUAGES, Workspace, join_pairs, outcome, runs, write_rows
from tests.modules import tiny

WORDS = dict(zip(LABELS, tiny.WORDS, strict=False))
"""What the labels are called: words of the tiny vocabulary."""
LABEL_WORDS = {"label_words": {"template": "{text}", "words": WORDS}}
GENERATION = {"generation": {"template": "{text}", "words": WORDS, "max_new_tokens": 3}}
TYPES = ("PER", "ORG", "LOC", "DATE")

Changes = dict[str, Any]


def asked(folder: Path, model_type: str, answer: Changes) -> Changes:
    """A change: a language model of some type answers in words."""
    return {
        "backbone.name": str(tiny.build(folder / model_type, model_type)),
        "combination.language": {"prompt": {"length": 3}},
        "stages.language.objective": {"alignment": {"parallel": {"dataset": "sib200", "path": "${data.path}"}}},
        "stages.task.answer": answer,
        "languages.targets": ["swh_Latn"],
    }


def untrained(folder: Path, model_type: str, answer: Changes) -> Changes:
    """A change: the language model as it is answers in words."""
    without = {"combination": {}, "stages.language": None, "stages.task": {"answer": answer}}
    long = {"max_position_embeddings": 100} if model_type == "llama" else {}
    return {"backbone.name": str(tiny.build(folder / model_type, model_type, **long)), **without}


@pytest.mark.parametrize("answer", [LABEL_WORDS, GENERATION], ids=["label_words", "generation"])
@pytest.mark.parametrize("model_type", ["llama", "bloom", "mt5", "mbart"])
def test_language_models_answer_in_words(
    workspace: Workspace, tmp_path: Path, model_type: str, answer: Changes
) -> None:
    changes = asked(tmp_path, model_type, answer)
    workspace.run(changes)
    plan = workspace.plan(changes)
    assert plan.todo == []
    [task] = plan.of_type(TaskStage)
    curve = workspace.store.history(task.id)
    assert all(row["loss"] > 0 for row in curve if "loss" in row)
    [run] = runs(plan)
    found = outcome(run)
    assert found["own", "swh_Latn"][1] != found["none", "swh_Latn"][1]
    allowed = {*LABELS, *([UNPARSED] if answer is GENERATION else [])}
    for result, predictions in found.values():
        assert {predicted for _, _, predicted, _ in predictions} <= allowed
        right = sum(gold == predicted for _, gold, predicted, _ in predictions)
        assert result.scores["accuracy"] == right / len(predictions)
        assert all(0 < confidence <= 1 for *_, confidence in predictions)
    texts = ["a text of three words"]
    [[label, _]] = predict_lines(run.path, "swh_Latn", texts)
    assert label in allowed


@pytest.mark.slow
@pytest.mark.parametrize("answer", [LABEL_WORDS, GENERATION], ids=["label_words", "generation"])
def test_two_ranks_learn_and_answer_as_one(workspace: Workspace, tmp_path: Path, answer: Changes) -> None:
    # Each stage takes seconds to start its processes: no language components.
    changes = asked(tmp_path, "llama", answer) | {"combination": {"task": {"adapter": {"reduction_factor": 8}}}}
    del changes["combination.language"]
    two = replace(workspace, folder=tmp_path / "two")
    two.folder.mkdir()
    workspace.run(changes)
    two.run(changes | {"trainer.devices": 2})
    [alone], [shared] = (runs(place.plan(changes)) for place in (workspace, two))
    assert outcome(alone).keys() == outcome(shared).keys()
    for place, (_, predictions) in outcome(alone).items():
        others = outcome(shared)[place][1]
        assert [row[:3] for row in others] == [row[:3] for row in predictions]
        assert [row[3] for row in others] == pytest.approx([row[3] for row in predictions], abs=1e-4)


def test_learning_to_write_the_right_words_is_learning_to_answer(workspace: Workspace, tmp_path: Path) -> None:
    learnt = {"stages.task.training": {"steps": 120, "optimizer": {"lr": 0.005}}, "stages.task.batch_size": 14}
    for answer in (LABEL_WORDS, GENERATION):
        changes = asked(tmp_path, "llama", answer) | learnt | {"combination": {"task": {"full": {}}}}
        changes |= {"languages.targets": ["eng_Latn"], "stages.task.training.decay": "constant"}
        del changes["combination.language"]
        workspace.run(changes)
        [run] = runs(workspace.plan(changes))
        [(result, _)] = outcome(run).values()
        assert result.scores["accuracy"] > 0.4  # of seven labels


class TestWithoutTraining:
    def test_there_is_no_task_stage_and_seeds_that_draw_nothing_make_one_run(
        self, workspace: Workspace, tmp_path: Path, modulingua: Modulingua
    ) -> None:
        changes = untrained(tmp_path, "llama", LABEL_WORDS) | {"seeds": [0, 1, 2]}
        plan = workspace.plan(changes)
        assert [stage.kind for stage in plan.stages] == ["evaluate"]
        said = modulingua("plan", workspace.write(changes)).out
        assert "note: no components: one run, without seeds 1, 2: nothing is trained or drawn there" in said
        printed = workspace.run(changes)
        assert "no components" in printed
        assert "standard deviation over seeds" not in printed
        assert not list((workspace.folder / "store").glob("*/passport.json"))

    def test_language_components_are_trained_all_the_same(self, workspace: Workspace, tmp_path: Path) -> None:
        changes = asked(tmp_path, "llama", LABEL_WORDS) | {"combination.task": None, "stages.task.training": None}
        workspace.run(changes)
        plan = workspace.plan(changes)
        assert [stage.kind for stage in plan.stages] == ["language", "evaluate"]
        [run] = runs(plan)
        assert outcome(run)["own", "swh_Latn"][1] != outcome(run)["none", "swh_Latn"][1]

    def test_examples_stand_before_the_text(self, workspace: Workspace, tmp_path: Path) -> None:
        def answered(examples: Changes | None, seed: int = 0) -> list[Any]:
            answer = {"label_words": {**LABEL_WORDS["label_words"], "examples": examples}}
            changes = untrained(tmp_path, "llama", answer) | {"seeds": [seed], "data.max_length": 90}
            workspace.run(changes)
            [run] = runs(workspace.plan(changes))
            return outcome(run)["own", "swh_Latn"][1]

        bare = answered(None)
        source = answered({"count": 3})
        assert bare != source
        assert source != answered({"count": 3}, seed=1)
        drawn = {"label_words": {**LABEL_WORDS["label_words"], "examples": {"count": 3}}}
        changes = untrained(tmp_path, "llama", drawn) | {"seeds": [0, 1], "data.max_length": 90}
        assert [stage.seed for stage in workspace.plan(changes).of_type(EvaluateStage)] == [0, 1]
        assert source != answered({"count": 3, "language": "target"})
        assert source != answered({"count": 3, "split": "validation"})

    def test_a_run_needs_no_language_to_learn_in(self, workspace: Workspace, tmp_path: Path) -> None:
        changes = untrained(tmp_path, "t5", GENERATION) | {"languages.source": []}
        workspace.run(changes)
        [run] = runs(workspace.plan(changes))
        assert {language for _, language in outcome(run)} == {"swh_Latn", "hau_Latn"}


class TestTranslateTest:
    def test_translations_are_read_with_the_source_languages_components(self, workspace: Workspace) -> None:
        for number, code in enumerate(LANGUAGES):
            for split, count in (("train", 14), ("validation", 7), ("test", 7)):
                rows = [
                    {
                        "index_id": row,
                        "category": LABELS[row % 7],
                        "text": f"{split} {tiny.WORDS[number * 9 + row % 9]}",
                        "text_en": f"{split} {tiny.WORDS[row]}",
                    }
                    for row in range(count)
                ]
                write_rows(workspace.folder / "translated" / code / f"{split}.parquet", rows)
        changes = {
            **workspace.masked,
            "data.path": str(workspace.folder / "translated"),
            "data.translated": {"text": "text_en"},
            "languages.targets": list(LANGUAGES),
        }
        printed = workspace.run(changes)
        assert "tested on translations into eng_Latn (text_en for text)" in printed
        [run] = runs(workspace.plan(changes))
        found = outcome(run)
        said = {language: predictions for (control, language), (_, predictions) in found.items() if control == "own"}
        # The translations are the same in each language, and so are the components: those of the source language.
        assert said["swh_Latn"] == said["hau_Latn"] == said["eng_Latn"]
        assert found["own", "hau_Latn"][0].component_language == "eng_Latn"
        # Only test texts are replaced: what is trained is the same as without.
        without = workspace.plan(changes | {"data.translated": {}})
        assert without.of_type(TaskStage)[0].id in workspace.plan(changes).done


class TestWhatMakesARun:
    def test_cells_that_differ_in_what_is_read_are_runs_of_their_own(
        self, workspace: Workspace, tmp_path: Path
    ) -> None:
        for code in LANGUAGES:
            for split in ("train", "validation", "test"):
                rows = [
                    {"index_id": n, "category": LABELS[n % 7], "text": f"{split} {code} {n}", "text_en": f"{n} {split}"}
                    for n in range(14)
                ]
                write_rows(tmp_path / "texts" / code / f"{split}.parquet", rows)
        changes = {"data.path": str(tmp_path / "texts"), **workspace.masked}
        both = workspace.plan(changes | {"grid.data.translated": [{}, {"text": "text_en"}]})
        assert len(both.of_type(EvaluateStage)) == 2
        assert len(both.of_type(TaskStage)) == 1
        examples = {"label_words": {**LABEL_WORDS["label_words"], "examples": {"count": 1}}}
        shown = untrained(tmp_path, "llama", examples) | {"grid.languages.source": [["eng_Latn"], ["hau_Latn"]]}
        assert len(workspace.plan(shown).of_type(EvaluateStage)) == 2
        # Where nothing comes from the source, it makes no difference.
        bare = untrained(tmp_path, "llama", LABEL_WORDS) | {"grid.languages.source": [["eng_Latn"], ["hau_Latn"]]}
        assert len(workspace.plan(bare).of_type(EvaluateStage)) == 1

    def test_the_order_of_labels_is_part_of_what_is_learnt(self, workspace: Workspace) -> None:
        rows = ["text,label,lang", *(f"{word},{label},swh_Latn" for word in "ab" for label in LABELS)]
        (workspace.folder / "test.csv").write_text("\n".join(rows))

        def task(labels: tuple[str, ...]) -> str:
            data = {
                "name": "table",
                "path": str(workspace.folder),
                "files": {"test": "test.csv"},
                "columns": {"language": "lang"},
                "labels": list(labels),
                "max_length": 24,
                "train_on": {"name": "sib200", "path": str(workspace.texts)},
            }
            changes = {"data": data, "combination.language": {}, "languages.targets": ["swh_Latn"]}
            [stage] = workspace.plan(changes).of_type(TaskStage)
            return str(stage.id)

        assert task(LABELS) != task(LABELS[::-1])

    def test_a_heads_learning_rate_is_for_answers_that_have_one(self, workspace: Workspace, tmp_path: Path) -> None:
        rates = {"stages.task.training.learning_rates": {"head": 0.1}}
        changes = asked(tmp_path, "llama", LABEL_WORDS) | rates
        [stage] = workspace.plan(changes).of_type(TaskStage)
        assert stage.settings.training.learning_rates == {}


def build_entities(folder: Path) -> Path:
    """Writes sentences in MasakhaNER's layout."""
    draw = random.Random(0)
    tags = ["O", *(f"{place}-{type_}" for type_ in TYPES for place in "BI")]
    for code in ("hau", "swa"):
        for split, count in (("train", 12), ("validation", 6), ("test", 6)):
            rows = []
            for number in range(count):
                kind = number % 4
                entity = tiny.WORDS[2 * kind : 2 * kind + 2]
                others = draw.sample(tiny.WORDS[20:], 4)
                marked = [tags.index(f"{place}-{TYPES[kind]}") for place in "BI"]
                rows.append({"id": str(number), "tokens": [*others, *entity], "ner_tags": [0] * 4 + marked})
            write_rows(folder / code / f"{split}.parquet", rows)
    return folder


def build_questions(folder: Path) -> Path:
    """Writes questions in SQuAD's and XQuAD's layouts: the answer is the word behind the one that is asked for."""
    draw = random.Random(0)
    splits = {"squad/plain_text/train": 40, "squad/plain_text/validation": 8, "xquad/xquad.de/validation": 8}
    for place, count in splits.items():
        rows = []
        for number in range(count):
            words = draw.sample(tiny.WORDS, 12)
            asked_for = draw.randrange(11)
            context = " ".join(words)
            start = len(" ".join(words[: asked_for + 1])) + 1
            answers = {"text": [words[asked_for + 1]], "answer_start": [start]}
            named = {"id": f"{place}-{number}", "context": context, "question": words[asked_for]}
            rows.append(named | {"answers": answers})
        write_rows(folder / f"{place}.parquet", rows)
    return folder


@pytest.mark.parametrize(
    ("model_type", "answer"),
    [
        ("xlm-roberta", None),
        ("llama", None),
        ("t5", {"generation": {"template": "tag: {text}", "max_new_tokens": 6}}),
    ],
)
def test_words_are_tagged(workspace: Workspace, tmp_path: Path, model_type: str, answer: Changes | None) -> None:
    changes = {
        "backbone.name": str(tiny.build(tmp_path / model_type, model_type)),
        "combination": {"task": {"full": {}}},
        "stages.language": None,
        "stages.task": {
            "training": {"steps": 60, "optimizer": {"lr": 0.01}},
            "batch_size": 12,
            **({"answer": answer} if answer else {}),
        },
        "data": {"name": "masakhaner2", "path": str(build_entities(tmp_path / "entities")), "max_length": 24},
        "languages": {"source": ["hau_Latn"], "targets": ["hau_Latn", "swh_Latn"]},
    }
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    for result, predictions in outcome(run).values():
        assert all(len(gold.split()) == 6 for _, gold, _, _ in predictions)
        if answer is None:
            assert all(len(gold.split()) == len(predicted.split()) for _, gold, predicted, _ in predictions)
            assert result.scores["span_f1"] > 0.9
        else:
            assert 0 <= result.unparsed_rate <= 1
    [[said, _]] = predict_lines(run.path, "swh_Latn", [" ".join(tiny.WORDS[:6])])
    assert said == UNPARSED or all(tag[0] in "OBI" for tag in said.split())


@pytest.mark.parametrize(
    ("model_type", "answer"),
    [
        ("xlm-roberta", None),
        ("mt5", {"generation": {"template": "question: {text} context: {second_text}", "max_new_tokens": 4}}),
    ],
)
def test_questions_are_answered(workspace: Workspace, tmp_path: Path, model_type: str, answer: Changes | None) -> None:
    folder = build_questions(tmp_path / "questions")
    changes = {
        "backbone.name": str(join_pairs(tiny.build(tmp_path / model_type, model_type))),
        "combination": {"task": {"adapter": {"reduction_factor": 2}}},
        "stages.language": None,
        "stages.task": {
            "training": {"steps": 4, "optimizer": {"lr": 0.02}},
            "batch_size": 8,
            **({"answer": answer} if answer else {}),
        },
        "data": {
            "name": "xquad",
            "path": str(folder / "xquad"),
            "train_on": {"name": "squad", "path": str(folder / "squad")},
            "held_out": 0.2,
            "max_length": 16 if answer is None else 40,
            "stride": 4,
        },
        "languages": {"source": ["eng_Latn"], "targets": ["deu_Latn"]},
    }
    workspace.run(changes)
    [run] = runs(workspace.plan(changes))
    [(result, predictions)] = outcome(run).values()
    assert len(predictions) == 8
    assert all(json.loads(gold) for _, gold, _, _ in predictions)
    assert set(result.scores) == {"exact_match", "token_f1"}
    [[said, _]] = predict_lines(run.path, "deu_Latn", [f"{tiny.WORDS[0]}\t{' '.join(tiny.WORDS[:8])}"])
    assert said
