"""Questions, from the published row to the batch."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from datamodules import (
    DataError,
    DatasetConfig,
    Example,
    LabelledDataset,
    Question,
    QuestionData,
    QuestionsConfig,
    TrainOnConfig,
    labelled_dataset,
)
from datamodules.labelled.windows import Window, context_windows
from tests.datamodules.conftest import Write

SCRIPTS = ["zho_Hans", "tha_Thai", "arb_Arab", "hin_Deva", "ell_Grek", "eng_Latn"]


def row(row_id: str, question: str, context: str, *answers: tuple[str, int]) -> dict[str, Any]:
    texts, starts = [text for text, _ in answers], [start for _, start in answers]
    return {
        "id": row_id,
        "title": "T",
        "context": context,
        "question": question,
        "answers": {"text": texts, "answer_start": starts},
    }


def xquad(real_data: Path) -> LabelledDataset:
    return labelled_dataset(DatasetConfig("xquad", str(real_data / "xquad")))


@pytest.fixture(scope="session")
def sentencepiece(e5: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(e5)


@pytest.fixture(scope="session")
def of_bytes() -> PreTrainedTokenizerFast:
    """A token per byte, as byte-level tokenizers have them at worst: several tokens are one character's."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = Tokenizer(models.BPE({letter: number for number, letter in enumerate([*letters, "<s>", "</s>"])}, []))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=pieces, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def test_published_answers_stand_where_they_should(real_data: Path) -> None:
    found = xquad(real_data)
    for language in found.languages:
        examples = list(found.examples(language, "test"))
        assert len({example.id for example in examples}) == 1190
        for example in examples:
            assert isinstance(example, Question)
            place = (example.starts[0], example.starts[0] + len(example.answers[0]))
            assert example.answer_place == place
            assert example.context[slice(*place)] == example.answers[0]


def test_gold_is_all_answers_as_published() -> None:
    question = Question("1", "q", "zho_Hans", second_text="c", answers=("三个", 'a "b"'), starts=(7, 0))
    gold = labelled_dataset(DatasetConfig("xquad")).gold(question)
    assert gold == '["三个", "a \\"b\\""]'
    assert json.loads(gold) == list(question.answers)


def cut(window: Window, context: str, place: tuple[int, int] | None) -> str:
    first, last = (token - window.first for token in window.tokens_of(place))
    return context[window.offsets[first, 0] : window.offsets[last, 1]]


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize("max_length", [64, 130, 512])
def test_the_tokens_of_an_answer_are_its_text(
    language: str, max_length: int, real_data: Path, sentencepiece: PreTrainedTokenizerBase
) -> None:
    questions = list(xquad(real_data).examples(language, "test"))[:400]
    exact = found = 0
    for window in context_windows(sentencepiece, [q.texts for q in questions], max_length, 10, "query: "):
        question = questions[window.pair]
        assert isinstance(question, Question)
        if window.tokens_of(question.answer_place)[0] == window.nowhere:
            continue
        text = cut(window, question.context, question.answer_place)
        assert question.answers[0] in text
        found += 1
        exact += text.strip() == question.answers[0]
    assert found >= 400
    assert exact / found > 0.93  # the others end within a token, such as "DVB-S2" in one that is "2."


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize(("max_length", "stride"), [(60, 8), (100, 30), (384, 128)])
def test_what_is_no_longer_than_the_stride_lies_whole_in_a_window(
    language: str, max_length: int, stride: int, real_data: Path, sentencepiece: PreTrainedTokenizerBase
) -> None:
    pairs = [example.texts for example in itertools.islice(xquad(real_data).examples(language, "test"), 0, 1190, 40)]
    whole = sentencepiece([context for _, context in pairs], add_special_tokens=False, verbose=False)["input_ids"]
    seen: list[set[tuple[int, ...]]] = [set() for _ in pairs]
    lengths: list[int] = []
    for window in context_windows(sentencepiece, pairs, max_length, stride):
        lengths.append(len(window.ids))
        context = window.ids[window.first : window.first + len(window.offsets)]
        seen[window.pair] |= {tuple(context[n : n + stride]) for n in range(max(1, len(context) - stride + 1))}
    assert max(lengths) == max_length or (max_length == 384 and max(lengths) > 200)
    for tokens, parts in zip(whole, seen, strict=True):
        wanted = {tuple(tokens[n : n + stride]) for n in range(max(1, len(tokens) - stride + 1))}
        assert wanted == parts


def test_answers_are_found_among_bytes(real_data: Path, of_bytes: PreTrainedTokenizerFast) -> None:
    for language in SCRIPTS:
        question = next(iter(xquad(real_data).examples(language, "test")))
        assert isinstance(question, Question)
        assert question.answer_place is not None
        holding = [
            window
            for window in context_windows(of_bytes, [question.texts], 800, 200)
            if window.tokens_of(question.answer_place)[0] != window.nowhere
        ]
        assert holding
        for window in holding:
            assert cut(window, question.context, question.answer_place).strip() == question.answers[0]
            first, last = window.tokens_of(question.answer_place)
            assert last - first + 1 == len(question.answers[0].encode())


def test_a_window_knows_its_question_and_its_place(joining: PreTrainedTokenizerFast) -> None:
    pairs = [("w1 w2", "w10 w11 w12 w13 w14 w15 w16"), ("w1", "")]
    windows = list(context_windows(joining, pairs, 10, 1, "w9 "))
    assert [window.pair for window in windows] == [0, 0, 1]
    first, second, empty = windows
    assert first.ids == [0, 14, 6, 7, 2, 15, 16, 17, 18, 2]
    assert first.types == [0] * 5 + [1] * 5
    assert second.ids == [0, 14, 6, 7, 2, 18, 19, 20, 21, 2]
    assert (first.first, first.nowhere) == (5, 4)
    # w12 w13 in both, w13 w14 in the second alone, w10 to w16 in none
    assert [window.tokens_of((8, 15)) for window in (first, second)] == [(7, 8), (4, 4)]
    assert [window.tokens_of((12, 19)) for window in (first, second)] == [(4, 4), (5, 6)]
    assert {window.tokens_of((0, 27)) for window in (first, second)} == {(4, 4)}
    assert first.tokens_of(None) == (4, 4)
    assert empty.ids == [0, 14, 6, 2, 2]
    assert len(empty.offsets) == 0
    assert empty.tokens_of((0, 1)) == (4, 4)


def test_a_question_that_is_too_long_loses_its_end(joining: PreTrainedTokenizerFast) -> None:
    question = " ".join(f"w{n}" for n in range(50))
    [window] = context_windows(joining, [(question, "w90 w91 w92")], 12, 2)
    assert window.ids == [0, *range(5, 10), 2, 95, 96, 97, 2]


def test_windows_need_room_and_a_fitting_tokenizer(
    tokenizer: PreTrainedTokenizerFast, joining: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="puts no special token between the two texts of a pair"):
        list(context_windows(tokenizer, [("w1", "w2")], 20, 2))
    with pytest.raises(DataError, match="a window of 12 tokens with a stride of 5 has no room for a question"):
        list(context_windows(joining, [("w1", "w2")], 12, 5))
    with pytest.raises(ValueError, match="stride must be less than half of the 40 tokens of a window, not 20"):
        QuestionsConfig("xquad", train_max_length=40, stride=20)
    monkeypatch.setattr(PreTrainedTokenizerFast, "is_fast", False)
    with pytest.raises(DataError, match="is none of the fast ones"):
        list(context_windows(joining, [("w1", "w2")], 20, 2))


CONTEXT = " ".join(f"w{n}" for n in range(20, 50))


def questions(folder: Path, tokenizer: PreTrainedTokenizerFast, **options: Any) -> QuestionData:
    config = QuestionsConfig("squad", str(folder), max_length=20, stride=5, held_out=options.pop("held_out", None))
    return QuestionData(config, tokenizer, **options)


@pytest.fixture
def folder(write: Write) -> Path:
    """Questions w0 to w9; the context of question n begins with word 20 + n, its answer is of n % 3 + 1 words."""
    rows = []
    for n in range(10):
        context = CONTEXT[4 * n :]
        start = 4 * (n + 3)
        rows.append(row(f"q{n}", f"w{n}", context, (context[start : start + 4 * (n % 3) + 3], start)))
    write("plain_text/train", rows)
    return write("plain_text/validation", rows[:4])


def test_a_batch_points_at_the_answer(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    data = questions(folder, joining, sources=["eng_Latn"], targets=["eng_Latn"], batch_size=4, eval_batch_size=3)
    asked = {example.id: example for example in data.training_examples}
    kinds = set()
    for batch in [*itertools.islice(data.train_dataloader(), 12), *data.predict_dataloader()]:
        shape = batch["input_ids"].shape
        assert batch["offsets"].shape == (*shape, 2)
        assert batch["in_context"].shape == batch["token_type_ids"].shape == shape
        assert shape[1] <= 20
        for n, row_id in enumerate(batch["id"]):
            example = asked[row_id]
            assert isinstance(example, Question)
            assert batch["context"][n] == example.context
            inside = batch["in_context"][n]
            assert inside.sum() == (batch["offsets"][n, :, 1] > 0).sum()
            assert batch["nowhere"][n] == int(inside.long().argmax()) - 1
            assert batch["input_ids"][n][batch["nowhere"][n]] == joining.eos_token_id
            start, end = int(batch["start"][n]), int(batch["end"][n])
            kinds.add(start == int(batch["nowhere"][n]))
            if start == batch["nowhere"][n]:
                assert end == start
                seen = batch["offsets"][n][inside]
                assert seen[0, 0] > example.starts[0] or seen[-1, 1] < example.starts[0] + len(example.answers[0])
            else:
                begin, stop = int(batch["offsets"][n, start, 0]), int(batch["offsets"][n, end, 1])
                assert example.context[begin:stop] == example.answers[0]
                assert bool(inside[start : end + 1].all())
    assert kinds == {True, False}


def test_every_question_is_tested_in_all_its_windows(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    data = questions(folder, joining, targets=["eng_Latn"], eval_batch_size=2)
    covered: dict[str, set[int]] = {}
    for batch in data.predict_dataloader():
        for n, row_id in enumerate(batch["id"]):
            places = batch["offsets"][n][batch["in_context"][n]]
            covered.setdefault(row_id, set()).update(int(begin) for begin, _ in places)
    assert covered == {f"q{n}": set(range(0, len(CONTEXT) - 4 * n, 4)) for n in range(4)}


def test_a_pair_without_an_answer_can_be_asked(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    data = questions(folder, joining)
    [batch] = data.examples_dataloader([Example("a", "w1", "fra_Latn", second_text="w2 w3"), Example("b", "w1", "x")])
    assert batch["start"].tolist() == batch["end"].tolist() == batch["nowhere"].tolist()
    assert batch["in_context"].sum(1).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "plain_text/train.parquet, row 1: the question has no answer; questions without one, as in SQuAD 2.0"),
        ([("w77", 4)], "row 1: the answer 'w77' is not in the context; at its offset 4 stands 'w21'"),
        ([("w77", 999)], "the answer 'w77' is not in the context; at its offset 999 stands ''"),
        ([(" ", 3)], "row 1: the question has no answer"),
    ],
)
def test_what_cannot_be_learnt_is_refused(
    answers: list[tuple[str, int]], message: str, write: Write, joining: PreTrainedTokenizerFast
) -> None:
    folder = write("plain_text/train", [row("q", "w1", CONTEXT, *answers)])
    with pytest.raises(DataError) as error:
        questions(folder, joining, sources=["eng_Latn"]).train_dataloader()
    assert message in str(error.value)


def test_an_answer_at_a_wrong_offset_is_found_nearby() -> None:
    question = Question("1", "q", "eng_Latn", second_text="a b a b a", answers=("a",), starts=(5,))
    assert question.answer_place == (4, 5)
    assert question.starts == (5,)  # gold stays as published


def test_questions_of_one_context_are_held_out_together(write: Write) -> None:
    rows = [row(f"q{n}", f"w{n}", f"context {n // 5}", (str(n // 5), 8)) for n in range(50)]
    folder = write("plain_text/train", rows)
    found = labelled_dataset(QuestionsConfig("squad", str(folder), held_out=0.3))
    parts = [{e.second_text for e in found.examples("eng_Latn", split)} for split in ("train", "validation")]
    assert [len(part) for part in parts] == [7, 3]
    assert not parts[0] & parts[1]


def test_mlqa_is_trained_on_translations_and_tested_on_its_own(write: Write) -> None:
    for config, split in (("mlqa-translate-train.de", "train"), ("mlqa.de.de", "validation"), ("mlqa.de.de", "test")):
        folder = write(f"{config}/{split}", [row(f"{config} {split}", "q", "c", ("c", 0))])
    found = labelled_dataset(QuestionsConfig("mlqa", str(folder)))
    ids = [next(iter(found.examples("deu_Latn", split))).id for split in ("train", "validation", "test")]
    assert ids == ["mlqa-translate-train.de train", "mlqa.de.de validation", "mlqa.de.de test"]
    with pytest.raises(DataError, match="mlqa has no train split for eng_Latn, only validation and test"):
        found.check("eng_Latn", "train")


def test_languages_of_tydiqa_share_a_file(write: Write) -> None:
    names = ["swahili", "finnish", "swahili"]
    folder = write("secondary_task/train", [row(f"{name}-{n}", "q", "c", ("c", 0)) for n, name in enumerate(names)])
    found = labelled_dataset(QuestionsConfig("tydiqa", str(folder)))
    assert [example.id for example in found.examples("swh_Latn", "train")] == ["swahili-0", "swahili-2"]
    assert [example.id for example in found.examples("fin_Latn", "train")] == ["finnish-1"]
    assert found.fingerprint("swh_Latn", "train") != found.fingerprint("fin_Latn", "train")
    found.check("fin_Latn", "train")
    with pytest.raises(DataError, match="tydiqa has no validation split for fin_Latn, only train and test"):
        found.check("fin_Latn", "validation")


class TestTransfer:
    @pytest.fixture
    def places(self, tmp_path: Path, write: Write) -> tuple[str, str]:
        write("squad/plain_text/train", [row(f"s{n}", "q", f"c{n}", ("c", 0)) for n in range(20)])
        write("squad/plain_text/validation", [row("v", "q", "c", ("c", 0))])
        write("xquad/xquad.en/validation", [row("x", "q", "c3", ("c", 0))])
        write("xquad/xquad.th/validation", [row("x", "ถาม", "ค", ("ค", 0))])
        return str(tmp_path / "xquad"), str(tmp_path / "squad")

    def test_one_is_learnt_from_the_other(self, places: tuple[str, str]) -> None:
        tested, learnt = places
        found = labelled_dataset(
            QuestionsConfig("xquad", tested, held_out=0.25, train_on=TrainOnConfig("squad", learnt))
        )
        ids = {split: {e.id for e in found.examples("eng_Latn", split)} for split in ("train", "validation", "test")}
        assert (len(ids["train"]), len(ids["validation"]), ids["test"]) == (15, 5, {"x"})
        assert ids["train"] | ids["validation"] == {f"s{n}" for n in range(20)}
        assert [e.text for e in found.examples("tha_Thai", "test")] == ["ถาม"]
        assert (found.name, found.task, found.pairs) == ("xquad", "question answering", True)
        assert "tha_Thai" in found.languages
        assert found.config_of("tha_Thai") == "xquad.th"
        with pytest.raises(DataError, match="'tha_Thai' is not a language of squad"):
            found.check("tha_Thai", "train")

    def test_what_was_trained_on_is_in_the_fingerprint(self, places: tuple[str, str], write: Write) -> None:
        tested, learnt = places
        config = QuestionsConfig("xquad", tested, train_on=TrainOnConfig("squad", learnt))
        before = {split: labelled_dataset(config).fingerprint("eng_Latn", split) for split in ("train", "test")}
        own = labelled_dataset(QuestionsConfig("xquad", tested))
        assert before["test"] == own.fingerprint("eng_Latn", "test")
        write("squad/plain_text/train", [row("s", "other", "c", ("c", 0))])
        after = {split: labelled_dataset(config).fingerprint("eng_Latn", split) for split in ("train", "test")}
        assert (before["train"] != after["train"], before["test"] == after["test"]) == (True, True)

    def test_a_test_text_that_is_trained_on_is_found(self, places: tuple[str, str]) -> None:
        tested, learnt = places
        found = labelled_dataset(QuestionsConfig("xquad", tested, train_on=TrainOnConfig("squad", learnt)))
        assert found.overlap("eng_Latn", "train", "test") == ["x"]

    def test_labels_are_those_of_the_tested(self, write: Write, tmp_path: Path) -> None:
        write("afrisenti/hau/test", [{"tweet": "t", "label": "negative"}])
        write("nusax/eng/train", [{"id": label, "text": "t", "label": label} for label in ("negative", "positive")])
        train_on = TrainOnConfig("nusax", str(tmp_path / "nusax"))
        found = labelled_dataset(DatasetConfig("afrisenti", str(tmp_path / "afrisenti"), train_on=train_on))
        assert labelled_dataset(DatasetConfig("nusax")).labels != found.labels
        assert [found.gold(example) for example in found.examples("eng_Latn", "train")] == ["negative", "positive"]
        assert [found.gold(example) for example in found.examples("hau_Latn", "test")] == ["negative"]

    @pytest.mark.parametrize(
        ("tested", "learnt", "what"),
        [
            ("sib200", "squad", "the task of the one: question answering; of the other: classification"),
            ("afrisenti", "xnli", "the labels of the one: contradiction, entailment, neutral; of the other: negative"),
        ],
    )
    def test_another_task_cannot_be_learnt_from(self, tested: str, learnt: str, what: str) -> None:
        with pytest.raises(DataError, match=f"train_on: {learnt} cannot be trained on for {tested}: {what}"):
            labelled_dataset(DatasetConfig(tested, train_on=TrainOnConfig(learnt)))


def test_a_config_without_a_stride_is_refused(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    data = QuestionData(DatasetConfig("squad", str(folder)), joining, targets=["eng_Latn"])
    with pytest.raises(DataError, match="the questions of squad need a QuestionsConfig"):
        data.predict_dataloader()


def test_batches_are_what_the_module_reads(folder: Path, joining: PreTrainedTokenizerFast) -> None:
    joining.model_input_names = ["input_ids", "attention_mask"]
    batch = next(iter(questions(folder, joining, sources=["eng_Latn"]).train_dataloader()))
    assert "token_type_ids" not in batch
    assert {key: value.dtype for key, value in batch.items() if isinstance(value, torch.Tensor)} == {
        **dict.fromkeys(("input_ids", "attention_mask", "offsets", "nowhere", "start", "end"), torch.long),
        "in_context": torch.bool,
    }
