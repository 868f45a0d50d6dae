"""Finding answers: the head, the search for the best span, and the whole way from questions to answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch
from tokenizers import processors
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from datamodules import Example, QuestionData, QuestionsConfig
from modules import (
    BackboneConfig,
    Combination,
    OptimizationConfig,
    OptimizerConfig,
    SpanHead,
    SpanHeadConfig,
    load_backbone,
)
from modules.backbone.backbone import seeded
from modules.components import FullConfig
from modules.training.heads import best_spans
from modules.training.question_answering import QuestionAnswering
from tests.modules import tiny
from tests.modules.stages import train


@pytest.mark.parametrize("longest", [1, 3, 30])
def test_the_best_span_is_that_of_a_search_through_all(longest: int) -> None:
    generator = torch.Generator().manual_seed(longest)
    start, end = torch.randn(2, 40, 12, generator=generator)
    allowed = torch.rand(40, 12, generator=generator) < 0.6
    allowed[0] = False
    first, last, score = best_spans(start, end, allowed, longest)
    for row in range(40):
        spans = [
            (float(start[row, a] + end[row, b]), a, b)
            for a, b in itertools.product(range(12), repeat=2)
            if a <= b < a + longest and allowed[row, a] and allowed[row, b]
        ]
        expected = max(spans, default=(-torch.inf, 0, 0))
        assert (float(score[row]), int(first[row]), int(last[row])) == expected


def test_the_head_reads_candidates_only() -> None:
    head = SpanHead(8, SpanHeadConfig(dropout=0.0))
    hidden = torch.randn(2, 6, 8, dtype=torch.bfloat16)
    candidates = torch.tensor([[0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1]]).bool()
    hidden[~candidates] = torch.nan
    for scores in head(hidden, candidates):
        assert scores.dtype == torch.float32
        torch.testing.assert_close(scores.exp().sum(1), torch.ones(2))
        assert torch.equal(scores.isfinite(), candidates)
    torch.stack(head(hidden, candidates))[:, candidates].sum().backward()
    assert head.linear.weight.grad is not None
    assert bool(head.linear.weight.grad.isfinite().all())


@pytest.mark.parametrize("settings", [{"dropout": 1.0}, {"max_answer_length": 0}])
def test_settings_that_cannot_be_meant(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        SpanHeadConfig(**settings)


WORDS = [f"w{n}" for n in range(10, 50)]


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, str]:
    """Eight questions about three contexts of 40 words, with their answers of one to three words; writes them."""
    generator = torch.Generator().manual_seed(0)
    rows, answers = [], {}
    for n in range(8):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(n % 3)).tolist()
        context = [WORDS[place] for place in order]
        first = int(torch.randint(37, (1,), generator=generator))
        answer = " ".join(context[first : first + 1 + n % 3])
        text = " ".join(context)
        answers[f"q{n}"] = answer
        rows.append(
            {
                "id": f"q{n}",
                "context": text,
                "question": f"w{n} w{n + 1}",
                "answers": {"text": [answer], "answer_start": [4 * first]},
            }
        )
    (tmp_path / "plain_text").mkdir()
    for split in ("train", "validation"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "plain_text" / f"{split}.parquet")
    return answers


@pytest.fixture
def tokenizer(folder: Callable[[str], Path]) -> PreTrainedTokenizerBase:
    made = AutoTokenizer.from_pretrained(folder("bert"))
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return made


@pytest.mark.parametrize(
    "model_type",
    ["bert", pytest.param("llama", marks=pytest.mark.slow), pytest.param("mt5", marks=pytest.mark.slow)],
)
def test_questions_are_learnt_and_answered(
    model_type: str,
    asked: dict[str, str],
    tmp_path: Path,
    folder: Callable[[str], Path],
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    """Contexts are longer than a window, so each question must find the window that holds its answer, too."""
    config = QuestionsConfig("squad", str(tmp_path), max_length=24, stride=6)
    data = QuestionData(config, tokenizer, sources=["eng_Latn"], targets=["eng_Latn"], batch_size=16)
    combination = Combination(load_backbone(BackboneConfig(name=str(folder(model_type)), precision="32")))
    combination.add("task", "full", FullConfig(), seed=0)
    with seeded(0):
        head = SpanHead(tiny.WIDTH, SpanHeadConfig(dropout=0.0))
    optimization = OptimizationConfig(steps=400, warmup_steps=20, optimizer=OptimizerConfig(lr=3e-3))
    module = QuestionAnswering(combination, combination.components("task"), optimization, head=head)
    tested = list(data.predict_dataloader())
    trainer = train(module, list(itertools.islice(data.train_dataloader(), 400)), tested, precision="32-true")

    best: dict[str, tuple[float, str]] = {}
    windows = 0
    module.eval()
    with torch.no_grad():
        for batch in tested:
            answered = module.predict_step(batch, 0)
            assert answered["language"] == batch["language"]
            assert answered["confidence"].dtype == torch.float32
            for row_id, *found in zip(
                answered["id"], answered["confidence"].tolist(), answered["predicted"], strict=True
            ):
                windows += 1
                best[row_id] = max(best.get(row_id, (-1.0, "")), (found[0], found[1]))
    assert windows > 2 * len(asked)
    assert {row_id: answer for row_id, (_, answer) in best.items()} == asked
    assert all(0.5 < confidence <= 1 for confidence, _ in best.values())
    assert trainer.callback_metrics["validation/span_accuracy"] == 1
    assert trainer.callback_metrics["validation/span_f1"] == 1


def untrained(encoder: Path) -> QuestionAnswering:
    combination = Combination(load_backbone(BackboneConfig(name=str(encoder), precision="32")))
    head = SpanHead(tiny.WIDTH, SpanHeadConfig())
    return QuestionAnswering(combination, [], OptimizationConfig(steps=1), head=head)


def test_an_empty_context_is_answered_by_nothing(
    folder: Callable[[str], Path], tokenizer: PreTrainedTokenizerBase
) -> None:
    data = QuestionData(QuestionsConfig("squad", max_length=24, stride=6), tokenizer)
    pairs = [Example("empty", "w1", "eng_Latn"), Example("one word", "w1", "eng_Latn", second_text="w5")]
    [batch] = data.examples_dataloader(pairs)
    answered = untrained(folder("bert")).eval().predict_step(batch, 0)
    found = dict(zip(answered["id"], answered["predicted"], strict=True))
    assert found == {"empty": "", "one word": "w5"}
    confidence = dict(zip(answered["id"], answered["confidence"].tolist(), strict=True))
    assert confidence["empty"] == 0 < confidence["one word"] < 1


def test_validation_scores_windows_that_hold_their_answer(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four windows one does not hold its answer; the others are found wholly, in part and not at all."""
    start, end = torch.full((2, 4, 10), -30.0)
    for row, (first, last) in enumerate([(3, 4), (3, 6), (7, 7), (3, 3)]):
        start[row, first] = end[row, last] = 0.0
    batch = {
        "in_context": torch.ones(4, 10, dtype=torch.bool),
        "nowhere": torch.full((4,), 1),
        "start": torch.tensor([3, 5, 3, 1]),
        "end": torch.tensor([4, 7, 4, 1]),
    }
    module = untrained(folder("bert"))
    logged = {}
    monkeypatch.setattr(module, "forward", lambda _: (start, end))
    monkeypatch.setattr(module, "log", lambda name, metric: logged.update({name: float(metric.compute())}))
    module.validation_step(batch, 0)
    assert logged["validation/span_accuracy"] == pytest.approx(1 / 3)
    assert logged["validation/span_f1"] == pytest.approx((1 + 2 * 2 / (4 + 3) + 0) / 3)
    assert logged["validation/loss"] == pytest.approx((0 + 30 + 30 + 30) / 4)
