from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lightning
import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM

from modules import (
    BackboneConfig,
    ClassificationHead,
    ClassificationHeadConfig,
    Combination,
    ModulesError,
    OptimizationConfig,
    load_backbone,
)
from modules.components import BottleneckConfig, FullConfig, LoRAConfig, SoftPromptConfig
from modules.training.alignment import Alignment
from modules.training.base import StageModule, global_mean
from modules.training.classification import TextClassification
from modules.training.heads import last_token, mean_pool
from modules.training.language_modeling import CausalLanguageModeling, MaskedLanguageModeling
from tests.modules import tiny
from tests.modules.slots import PAIRWISE
from tests.modules.slots import name as name_of
from tests.modules.stages import (
    EVERY_STAGE,
    FAMILIES,
    LABELS,
    ROWS,
    SHARED,
    STAGES,
    alignment,
    batches,
    for_stage,
    held,
    make,
    masked,
    train,
)

ROOT = Path(__file__).parents[2]
A_STAGE = pytest.mark.parametrize("name", STAGES)


@pytest.fixture
def encoders(folder: Callable[[str], Path]) -> Path:
    """Returns the folder that holds the encoders."""
    for _, model_type, _ in EVERY_STAGE.values():
        folder(model_type)
    return folder("bert").parent


@pytest.fixture
def stage(encoders: Path) -> Callable[..., StageModule]:
    return lambda name, **optimization: make(name, encoders, **optimization)


@pytest.fixture(scope="session")
def two_ranks(folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains every stage on two ranks and returns the folder with what each rank got.

    They do it with a backbone each, and again with one that they share. Of several test processes one does it for all.
    """
    base = tmp_path_factory.getbasetemp()
    output = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ranks"
    with FileLock(output.with_suffix(".lock")):
        if not output.exists():
            output.mkdir()
            for _, model_type, _ in EVERY_STAGE.values():
                folder(model_type)
            _train_on_two_ranks(folder("bert").parent, output)
    return output


def _train_on_two_ranks(encoders: Path, output: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("stages.py")
    command = [sys.executable, str(script), str(encoders), str(output), *EVERY_STAGE]
    shared = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "NODE_RANK": "0",
    }
    with (output / "log").open("w") as log:
        ranks = [
            subprocess.Popen(command, env=shared | {"LOCAL_RANK": str(rank)}, stdout=log, stderr=log)
            for rank in range(2)
        ]
        try:
            codes = [rank.wait(timeout=900) for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
    assert codes == [0, 0], (output / "log").read_text()[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_STAGE)
def test_two_ranks_train_to_the_weights_of_one(stage: Callable[..., StageModule], two_ranks: Path, name: str) -> None:
    alone = stage(name)
    before = alone.trained_state()
    rows = for_stage(alone, batches(4))
    trainer = train(alone, rows, rows[:2])
    ranks = [load_file(two_ranks / f"{name}.{rank}.safetensors") for rank in range(2)]
    after = alone.trained_state()
    assert {key for key in ranks[0] if not key.startswith("metric ")} == after.keys()
    for key, weights in after.items():
        assert torch.equal(ranks[0][key], ranks[1][key]), key
        torch.testing.assert_close(ranks[0][key], weights, atol=1e-8, rtol=0)
    assert any(not torch.allclose(before[key].double(), after[key], atol=1e-4) for key in after)
    for metric, value in trainer.callback_metrics.items():
        # The contrast is within a rank's batch, so that this one depends on the number of ranks.
        if not (isinstance(alone, Alignment) and metric == "validation/loss"):
            torch.testing.assert_close(ranks[0][f"metric {metric}"], value, atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_ranks_that_share_the_backbone_train_to_the_same_weights(
    stage: Callable[..., StageModule], two_ranks: Path, name: str
) -> None:
    shares = 0
    for rank in range(2):
        whole, shared = (load_file(two_ranks / f"{name}.{rank}{way}.safetensors") for way in ("", ".shared"))
        shares += int(shared.pop("held"))
        assert shared
        for key, weights in shared.items():
            # Gradients of T5's layers are summed in another order; all the others are equal bit for bit.
            torch.testing.assert_close(whole[key], weights, atol=1e-12, rtol=0)
    assert shares == held(stage(name))


@A_STAGE
def test_only_what_is_trained_changes_and_all_of_it(stage: Callable[..., StageModule], name: str) -> None:
    trained = stage(name)
    numbers = {id(parameter) for parameter in trained.parameters() if parameter.requires_grad}
    before = {key: parameter.clone() for key, parameter in trained.named_parameters()}
    train(trained, for_stage(trained, batches(4)), precision="32-true")
    for key, parameter in trained.named_parameters():
        # Positions and words that no batch has stand still, as does the row of the padding.
        assert torch.equal(parameter, before[key]) == (id(parameter) not in numbers), key


@A_STAGE
def test_the_loss_falls(stage: Callable[..., StageModule], name: str) -> None:
    trained = stage(name, steps=30)
    rows = for_stage(trained, batches(1)) * 30
    losses = []

    class Losses(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
            losses.append(float(trainer.callback_metrics["loss"]))

    train(trained, rows, callbacks=[Losses()], precision="32-true")
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    "name",
    [
        *("masked prompt and adapter", "aligned prefix", "full fine-tuning"),
        *(
            pytest.param(
                f"{family}, task: {name_of(slots)}", marks=[] if slots == PAIRWISE[-1] else pytest.mark.slow
            )
            for family in FAMILIES
            for slots in PAIRWISE
        ),
    ],
)
def test_an_interrupted_run_goes_on_exactly(tmp_path: Path, name: str) -> None:
    _, model_type, _ = EVERY_STAGE[name]
    tiny.build(tmp_path / model_type, model_type, dropout=0.3)

    def fresh() -> StageModule:
        return make(name, tmp_path, steps=8, warmup_steps=2)

    rows = for_stage(fresh(), batches(8))
    whole, interrupted, resumed, without_dropout = fresh(), fresh(), fresh(), fresh()

    class Save(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
            if trainer.global_step == 4:
                trainer.save_checkpoint(tmp_path / "half.ckpt")
                trainer.should_stop = True

    # In float32, since Lightning turns to float64 only after it has loaded the checkpoint.
    train(whole, rows, precision="32-true")
    # What drew random numbers before must not matter.
    torch.manual_seed(99)
    train(interrupted, rows, callbacks=[Save()], precision="32-true")
    torch.manual_seed(7)
    trainer = train(resumed, rows[4:], checkpoint=tmp_path / "half.ckpt", precision="32-true")
    assert trainer.global_step == 8
    without_dropout.train = lambda mode=True: without_dropout
    train(without_dropout, rows, precision="32-true")
    expected = whole.trained_state()
    assert all(torch.equal(weights, expected[key]) for key, weights in resumed.trained_state().items())
    assert any(not torch.equal(weights, expected[key]) for key, weights in interrupted.trained_state().items())
    assert any(not torch.equal(weights, expected[key]) for key, weights in without_dropout.trained_state().items())


def test_a_checkpoint_holds_what_is_trained(stage: Callable[..., StageModule], tmp_path: Path) -> None:
    trained = stage("language prompt, task adapter")
    train(trained, batches(4)).save_checkpoint(tmp_path / "last.ckpt")
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["trained"] == sorted(checkpoint["state_dict"]) == sorted(trained.trained_state())
    assert {key.partition("/")[0] for key in checkpoint["trained"]} == {"component-task-adapter", "head"}
    assert "head/linear.weight" in checkpoint["trained"]


def test_a_checkpoint_of_another_stage_is_refused(stage: Callable[..., StageModule], tmp_path: Path) -> None:
    train(stage("head alone"), batches(4)).save_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(ModulesError, match="the checkpoint is of another stage: only one of the two trains comp"):
        train(stage("language prompt, task adapter"), batches(4), checkpoint=tmp_path / "other.ckpt")


def test_a_trained_state_must_fit(stage: Callable[..., StageModule]) -> None:
    trained = stage("head alone")
    state = trained.trained_state()
    with pytest.raises(ModulesError, match=r"missing head/linear\.bias"):
        trained.load_trained_state({"head/linear.weight": state["head/linear.weight"]})
    changed = {key: weights + 1 for key, weights in state.items()}
    trained.load_trained_state(changed)
    assert all(torch.equal(weights, changed[key]) for key, weights in trained.trained_state().items())


def test_learning_rates_of_what_is_not_trained_are_refused(stage: Callable[..., StageModule]) -> None:
    with pytest.raises(ModulesError, match="'promt' is not trained in this stage .did you mean 'prompt'"):
        stage("masked prompt and adapter", learning_rates={"promt": 0.1})


def test_gradients_are_clipped_as_configured(stage: Callable[..., StageModule]) -> None:
    lengths = {}
    for clip in (1e-3, None):
        trained = stage("head alone", gradient_clip=clip)

        class Gradient(lightning.Callback):
            def on_train_batch_end(self, trainer: object, module: StageModule, *_: object) -> None:
                gradients = [weights.grad.flatten() for weights in module.head.parameters()]
                lengths[clip] = float(torch.cat(gradients).norm())  # noqa: B023 - read in this turn of the loop

        train(trained, batches(1), max_steps=1, callbacks=[Gradient()])
    assert lengths[1e-3] == pytest.approx(1e-3, rel=1e-3)
    assert lengths[None] > 1e-2


def test_predictions(stage: Callable[..., StageModule]) -> None:
    classifier = stage("language prompt, task adapter")
    rows = batches(2)
    del rows[1]["labels"]
    trainer = lightning.Trainer(
        accelerator="cpu", precision="bf16-mixed", logger=False, enable_progress_bar=False, enable_checkpointing=False
    )
    first, second = trainer.predict(classifier, DataLoader(rows, batch_size=None))
    assert first["id"] == ["0-0", "0-1", "0-2", "0-3"]
    assert first["language"] == ["swh_Latn"] * ROWS
    with torch.autocast("cpu", torch.bfloat16):
        logits = classifier(rows[1])
    assert logits.dtype == torch.float32
    assert second["predicted"] == [LABELS[label] for label in logits.argmax(-1).tolist()]
    torch.testing.assert_close(second["confidence"], logits.softmax(-1).amax(-1))


def test_controls_change_whose_components_act(stage: Callable[..., StageModule]) -> None:
    classifier = stage("language prompt, task adapter")
    assert isinstance(classifier, TextClassification)
    (row,) = batches(1)
    classifier.eval()
    own = classifier(row)
    classifier.language_of = {"swh_Latn": ""}.__getitem__
    without = classifier(row)
    classifier.language_of = {"hau_Latn": "swh_Latn"}.__getitem__
    borrowed = classifier(row | {"language": ["hau_Latn"] * ROWS})
    assert torch.equal(own, borrowed)
    assert not torch.allclose(own, without, atol=1e-4)


def test_validation_is_over_all_rows(stage: Callable[..., StageModule]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    classifier = stage("head alone")
    rows = batches(3)
    for key in ("input_ids", "attention_mask", "labels"):
        rows[2][key] = rows[2][key][:1]
    rows[2]["language"] = rows[2]["language"][:1]
    classifier.double().eval()
    logits = torch.cat([classifier(row) for row in rows])
    labels = torch.cat([row["labels"] for row in rows])
    trainer = lightning.Trainer(
        accelerator="cpu", precision="64-true", logger=False, enable_progress_bar=False, enable_checkpointing=False
    )
    (found,) = trainer.validate(classifier, DataLoader(rows, batch_size=None), verbose=False)
    guesses = logits.argmax(-1)
    assert found["validation/loss"] == pytest.approx(float(functional.cross_entropy(logits, labels)))
    assert found["validation/accuracy"] == pytest.approx(accuracy_score(labels, guesses))
    assert found["validation/macro_f1"] == pytest.approx(f1_score(labels, guesses, average="macro"))


def test_masked_logits_are_those_of_the_masked_positions(stage: Callable[..., StageModule]) -> None:
    trained = stage("masked prompt and adapter")
    (row,) = for_stage(trained, batches(1))
    trained.eval()
    logits, tokens = trained(row)
    whole = trained.combination
    hidden = whole.encode(row["input_ids"], row["attention_mask"], row["language"])
    everywhere = whole.lm_logits(hidden.flatten(0, 1), ["swh_Latn"] * hidden[..., 0].numel()).unflatten(0, (ROWS, -1))
    chosen = row["labels"] != -100
    assert 0 < chosen.sum() < chosen.numel() / 2
    torch.testing.assert_close(logits, everywhere[chosen])
    assert torch.equal(tokens, row["input_ids"][chosen])


def test_the_causal_loss_is_that_of_transformers(folder: Callable[[str], Path]) -> None:
    whole = Combination(load_backbone(BackboneConfig(name=str(folder("llama"))), with_lm_head=True))
    prompt = whole.add("language", "prompt", SoftPromptConfig(length=2), language="swh_Latn", seed=0)
    stage = CausalLanguageModeling(whole, [prompt], OptimizationConfig(steps=1))
    plain = AutoModelForCausalLM.from_pretrained(folder("llama")).eval()
    [batch] = batches(1)
    labels = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
    batch |= {"labels": labels, "language": [""] * ROWS}
    with torch.no_grad():
        logits, tokens = stage(batch)
        expected = plain(batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
    assert len(tokens) == int(batch["attention_mask"].sum()) - ROWS
    torch.testing.assert_close(functional.cross_entropy(logits, tokens), expected)


def test_language_modelling_on_another_family_is_refused(folder: Callable[[str], Path]) -> None:
    for model_type, class_ in [("bert", CausalLanguageModeling), ("llama", MaskedLanguageModeling)]:
        whole = Combination(load_backbone(BackboneConfig(name=str(folder(model_type))), with_lm_head=True))
        prompt = whole.add("language", "prompt", SoftPromptConfig(length=2), language="swh_Latn", seed=0)
        with pytest.raises(ModulesError, match="LanguageModeling trains on a"):
            class_(whole, [prompt], OptimizationConfig(steps=1))


def test_a_batch_without_masks_teaches_nothing(stage: Callable[..., StageModule]) -> None:
    trained = stage("masked prompt and adapter")
    (row,) = for_stage(trained, batches(1))
    logits, tokens = trained(row | {"labels": torch.full_like(row["labels"], -100)})
    loss = global_mean(functional.cross_entropy(logits, tokens, reduction="none"))
    loss.backward()
    assert float(loss) == 0
    assert all(not weights.grad.any() for weights in trained.parameters() if weights.requires_grad)


def test_masked_language_modelling_needs_the_head(folder: Callable[[str], Path]) -> None:
    whole = Combination(load_backbone(BackboneConfig(name=str(folder("bert")))))
    whole.add("language", "prompt", SoftPromptConfig(length=2), seed=0)
    with pytest.raises(ModulesError, match="needs a backbone loaded with its language model head"):
        masked(whole, OptimizationConfig(steps=1))


def test_the_alignment_loss(stage: Callable[..., StageModule]) -> None:
    trained = stage("aligned prompt and adapter").eval()
    (row,) = batches(1)
    whole = trained.combination
    mask = row["attention_mask"]
    sentences = mean_pool(whole.encode(row["input_ids"], mask, row["language"]), mask)
    bare = Combination(whole.backbone)
    pivot_mask = row["pivot_attention_mask"]
    translations = mean_pool(bare.encode(row["pivot_input_ids"], pivot_mask), pivot_mask)
    cosines = functional.cosine_similarity(sentences[:, None], translations[None], dim=-1)
    contrast = -(cosines / 0.05).log_softmax(dim=1).diagonal()
    expected = 10 * (1 - cosines.diagonal()) + contrast
    trained.log = lambda *_, **__: None
    torch.testing.assert_close(trained.training_step(row, 0), expected.mean())
    vectors = functional.normalize(sentences), functional.normalize(translations)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(trained._losses(*vectors, vectors[1], 0), expected)


@pytest.mark.parametrize("name", ["aligned prompt and adapter", "aligned prefix"])
def test_vectors_are_compared_in_float32(stage: Callable[..., StageModule], name: str) -> None:
    trained = stage(name)
    with torch.autocast("cpu", torch.bfloat16):
        vectors = trained(batches(1)[0])
    assert [vector.dtype for vector in vectors] == [torch.float32] * 2


def test_alignment_needs_the_bare_backbone(combination: Callable[..., Combination]) -> None:
    whole = combination("bert")
    whole.add("language", "full", FullConfig(), seed=0)
    trained = alignment(whole, OptimizationConfig(steps=1))
    with pytest.raises(ModulesError, match="changes its weights"):
        trained(batches(1)[0])


def test_components_added_later_stay_frozen(stage: Callable[..., StageModule]) -> None:
    trained = stage("task prompt and lora")
    numbers = {id(weights) for weights in trained.parameters() if weights.requires_grad}
    trained.combination.add("language", "lora", LoRAConfig(), language="hau_Latn", seed=0)
    trained.combination.add("language", "adapter", BottleneckConfig(), language="hau_Latn", seed=0)
    assert {id(weights) for weights in trained.parameters() if weights.requires_grad} == numbers


def test_a_head_needs_labels() -> None:
    for labels in ([], ["one"], ["one", "one"]):
        with pytest.raises(ModulesError, match="two or more different labels"):
            ClassificationHead(tiny.WIDTH, labels, ClassificationHeadConfig())


def test_a_stage_without_anything_to_train_is_refused(combination: Callable[..., Combination]) -> None:
    with pytest.raises(ModulesError, match="nothing to train"):
        alignment(combination("bert"), OptimizationConfig(steps=1))


def test_pooling_does_not_see_padding() -> None:
    hidden = torch.randn(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    hidden[0, 2:] = torch.nan
    torch.testing.assert_close(mean_pool(hidden, mask), torch.stack([hidden[0, :2].mean(0), hidden[1].mean(0)]))
    head = ClassificationHead(3, LABELS, ClassificationHeadConfig(pooling="cls", dropout=0.0))
    torch.testing.assert_close(head(hidden, mask), head.linear(hidden[:, 0]))


def test_the_last_token_is_found_at_either_end() -> None:
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])
    assert torch.equal(last_token(hidden, mask), torch.stack([hidden[0, 1], hidden[1, 2]]))
