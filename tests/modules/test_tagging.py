"""Tagging, from the batch to spans."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import torch
from seqeval.metrics import f1_score

from datamodules import DatasetConfig, TaggingData
from modules import (
    Combination,
    ModulesError,
    OptimizationConfig,
    OptimizerConfig,
    TaggingHead,
    TaggingHeadConfig,
)
from modules.backbone.backbone import seeded
from modules.components import BottleneckConfig, FullConfig, SoftPromptConfig
from modules.training.tagging import SpanF1, Tagging
from tests.modules import tiny
from tests.modules.stages import train

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def tagger(
    combination: Combination, *, steps: int = 40, labels: Sequence[str] = LABELS, lr: float = 0.02
) -> Tagging:
    with seeded(0):
        head = TaggingHead(tiny.WIDTH, labels, TaggingHeadConfig(dropout=0.0))
    settings = OptimizationConfig(steps=steps, optimizer=OptimizerConfig(lr=lr))
    return Tagging(combination, combination.components("task"), settings, head=head)


def batch() -> dict[str, Any]:
    """Two sentences: words of two tokens each, the last one cut off, then words of one token, one of them blank."""
    ids, mask = tiny.batch(2, 8)
    mask[1, 6:] = 0
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "words": torch.tensor([4, 3]),
        "first_tokens": torch.tensor([[1, 3, 5, -1], [1, -1, 2, -1]]),
        "last_tokens": torch.tensor([[2, 4, 6, -1], [1, -1, 2, -1]]),
        "labels": torch.tensor([[1, 2, 0, 3], [0, 3, 3, -100]]),
        "language": ["swh_Latn", "yor_Latn"],
        "id": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("model_type", "read_at"), [("xlm-roberta", "first_tokens"), ("llama", "last_tokens"), ("mt5", "last_tokens")]
)
def test_a_word_is_read_where_the_backbone_has_seen_it(
    combination: Callable[..., Combination], model_type: str, read_at: str
) -> None:
    module = tagger(combination(model_type)).eval()
    rows = batch()
    logits, sentences, places = module(rows)
    hidden = module.combination.encode(rows["input_ids"], rows["attention_mask"], rows["language"])
    assert list(zip(sentences.tolist(), places.tolist(), strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]
    tokens = rows[read_at][sentences, places]
    torch.testing.assert_close(logits, module.head.linear(hidden[sentences, tokens]))


def test_a_decoder_has_seen_the_whole_word(combination: Callable[..., Combination]) -> None:
    module = tagger(combination("llama")).eval()
    rows, other = batch(), batch()
    other["input_ids"][0, 2] = (other["input_ids"][0, 2] - 4) % 50 + 5  # the second half of the first word
    assert not torch.allclose(module(rows)[0][0], module(other)[0][0])


def test_each_word_of_a_sentence_gets_a_tag(combination: Callable[..., Combination]) -> None:
    module = tagger(combination()).eval()
    rows = batch()
    probabilities = module(rows)[0].softmax(-1)
    answer = module.predict_step(rows, 0)
    tags = [sentence.split() for sentence in answer["predicted"]]
    assert [len(sentence) for sentence in tags] == [4, 3]
    assert (tags[0][3], tags[1][1]) == ("O", "O")
    read = [LABELS[tag] for tag in probabilities.argmax(-1).tolist()]
    assert [*tags[0][:3], tags[1][0], tags[1][2]] == read
    best = probabilities.max(-1).values
    torch.testing.assert_close(answer["confidence"], torch.stack([best[:3].prod(), best[3:].prod()]))
    assert answer["id"] == ["a", "b"]
    assert answer["confidence"].dtype == torch.float32
    del rows["labels"]
    assert module.predict_step(rows, 0)["predicted"] == answer["predicted"]


@pytest.mark.parametrize("model_type", ["xlm-roberta", "gpt2", "t5"])
def test_gradients_reach_the_head_and_the_components_only(
    combination: Callable[..., Combination], model_type: str
) -> None:
    whole = combination(model_type)
    whole.add("task", "adapter", BottleneckConfig(reduction_factor=4), seed=0)
    whole.add("task", "prompt", SoftPromptConfig(length=2), seed=0)
    module = tagger(whole, steps=1)
    before = {name: parameter.clone() for name, parameter in module.named_parameters()}
    train(module, [batch()], precision="32-true")
    changed = {name for name, parameter in module.named_parameters() if not torch.equal(before[name], parameter)}
    assert changed
    assert changed <= {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert {"head.linear.weight", "head.linear.bias"} <= changed
    assert any("adapter" in name for name in changed)
    assert any("prompt" in name for name in changed)


def test_words_that_are_cut_off_cost_their_spans(combination: Callable[..., Combination]) -> None:
    module = tagger(combination())
    trainer = train(module, [batch()] * 40, [batch()])
    [first, second] = module.eval().predict_step(batch(), 0)["predicted"]
    assert (first, second) == ("B-PER I-PER O O", "O O B-LOC")
    # of four spans those of the cut and of the blank word are missed
    assert trainer.callback_metrics["validation/span_f1"] == pytest.approx(2 * 2 / (2 + 4))
    assert trainer.callback_metrics["validation/loss"] < 0.1


def test_a_batch_in_which_no_word_is_read(combination: Callable[..., Combination]) -> None:
    module = tagger(combination(), steps=1)
    rows = batch()
    rows["first_tokens"] = torch.full((2, 4), -1)
    train(module, [rows], [rows])
    answer = module.predict_step(rows, 0)
    assert answer["predicted"] == ["O O O O", "O O O"]
    assert answer["confidence"].tolist() == [1.0, 1.0]


def test_span_f1_is_that_of_seqeval_over_all_batches() -> None:
    draw = random.Random(0)
    metric = SpanF1()
    gold, predicted = [], []
    for _ in range(5):
        right = [draw.choices(LABELS, k=draw.randint(1, 15)) for _ in range(8)]
        answers = [[tag if draw.random() < 0.7 else draw.choice(LABELS) for tag in sentence] for sentence in right]
        metric.update(answers, right)
        gold += right
        predicted += answers
    assert float(metric.compute()) == pytest.approx(f1_score(gold, predicted))
    metric.reset()
    metric.update([["O"]], [["O"]])
    assert metric.compute() == 0


def test_a_head_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ModulesError, match="two or more different labels"):
        TaggingHead(tiny.WIDTH, ["O", "O"], TaggingHeadConfig())
    with pytest.raises(ValueError, match="less than 1"):
        TaggingHeadConfig(dropout=1.0)


@pytest.mark.parametrize("model_type", ["xlm-roberta", "llama", "mt5"])
def test_a_few_sentences_are_learnt_by_heart(
    combination: Callable[..., Combination], model_type: str, tmp_path: Path
) -> None:
    draw = random.Random(0)
    (tmp_path / "sw").mkdir()
    sentences = [draw.sample(tiny.WORDS[:50], k=draw.randint(3, 9)) for _ in range(6)]
    rows = [{"tokens": words, "ner_tags": [draw.randrange(7) for _ in words]} for words in sentences]
    for split in ("train", "validation", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "sw" / f"{split}.parquet")
    whole = combination(model_type)
    whole.add("task", "full", FullConfig(), seed=0)
    config, swahili = DatasetConfig("wikiann", str(tmp_path)), ["swh_Latn"]
    data = TaggingData(config, whole.backbone.tokenizer, sources=swahili, targets=swahili, batch_size=6)
    module = tagger(whole, steps=80, labels=data.dataset.labels, lr=0.005)
    trainer = train(module, list(itertools.islice(data.train_dataloader(), 80)), list(data.val_dataloader()))
    assert trainer.callback_metrics["validation/span_f1"] == 1
    answers = {}
    for number, tested in enumerate(data.predict_dataloader()):
        answer = module.eval().predict_step(tested, number)
        answers |= dict(zip(answer["id"], answer["predicted"], strict=True))
    assert answers == {e.id: data.dataset.gold(e) for e in data.dataset.examples("swh_Latn", "test")}
