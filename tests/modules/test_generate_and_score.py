"""What is written, and how likely continuations are, on every decoder and encoder-decoder."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modules import BackboneConfig, Combination, ModulesError, load_backbone
from modules.backbone.architectures import ARCHITECTURES
from modules.components import SoftPrompt, SoftPromptConfig
from tests.modules import shared_scores, tiny
from tests.modules.slots import PAIRWISE, Slots, fill, info_of, name, possible

ROOT = Path(__file__).parents[2]
GENERATIVE = [model for model in tiny.MODELS if ARCHITECTURES[model].family != "encoder"]
EVERYTHING: Slots = (
    ("language", "prompt"),
    ("language", "invertible"),
    ("language", "adapter"),
    ("task", "prompt after bos"),
    ("task", "lora everywhere"),
)
PREFIXES: Slots = (("language", "prefix"), ("task", "prefix"))
SEVERAL: list[Slots] = [
    (),
    EVERYTHING,
    PREFIXES,
    (("language", "prefix"), ("task", "ia3")),
    (("language", "double adapter"), ("task", "compacter")),
]
EVERY_MODEL = pytest.mark.parametrize("model_type", GENERATIVE)
ONE_OF_EACH_FAMILY = pytest.mark.parametrize("model_type", ["llama", "mt5"])


def models_with(several: list[Slots]) -> list[tuple[str, Slots]]:
    """Returns each model with each of several combinations that it takes."""
    pairs = itertools.product(GENERATIVE, several)
    return [(model_type, slots) for model_type, slots in pairs if possible(slots, info_of(model_type))]


def name_of_case(part: str | Slots) -> str:
    return part if isinstance(part, str) else name(part)


ALL_OR_PREFIXES = pytest.mark.parametrize(
    ("model_type", "slots"), models_with([EVERYTHING, PREFIXES]), ids=name_of_case
)
CASES = pytest.mark.parametrize(
    ("model_type", "slots"),
    [
        *models_with(SEVERAL),
        *(
            pytest.param(model_type, slots, marks=pytest.mark.slow)
            for model_type, slots in itertools.product(["llama", "mt5"], PAIRWISE)
            if slots not in SEVERAL
        ),
    ],
    ids=name_of_case,
)
LANGUAGES = ["swh_Latn", "hau_Latn", "", "swh_Latn"]
ANSWERS = [
    [[7], [8, 9, 10], [11, 12]],
    [[13, 14, 15, 16], [17], [18]],
    [[19], [20, 21], [22, 23]],
    [[7], [8, 9, 10], [11, 12]],
]


def filled(combination: Combination, slots: Slots) -> Combination:
    fill(combination, slots, ["swh_Latn", "hau_Latn"])
    return combination


def alone(ids: torch.Tensor, mask: torch.Tensor, row: int) -> torch.Tensor:
    """Returns a row without its padding [1, time]."""
    return ids[[row]][:, mask[row].bool()]


def log_probabilities(whole: Combination, text: torch.Tensor, behind: list[int], language: str) -> torch.Tensor:
    """Returns those of each token behind a text and of the one after them, all read anew and without a cache."""
    tokens = torch.tensor([behind], dtype=torch.long)
    if whole.backbone.info.family == "encoder-decoder":
        read = whole.backbone.shifted(torch.cat([tokens, torch.zeros(1, 1, dtype=torch.long)], dim=1))
        hidden = whole.encode(text, torch.ones_like(text), [language], decoder_input_ids=read)
    else:
        everything = torch.cat([text, tokens], dim=1)
        hidden = whole.encode(everything, torch.ones_like(everything), [language])[:, text.shape[1] - 1 :]
    return whole.lm_logits(hidden[0], [language] * hidden.shape[1]).log_softmax(-1)


def likelihood(whole: Combination, text: torch.Tensor, behind: list[int], language: str) -> torch.Tensor:
    return log_probabilities(whole, text, behind, language)[:-1].gather(1, torch.tensor(behind)[:, None]).sum()


def most_likely(whole: Combination, text: torch.Tensor, language: str, number: int) -> list[int]:
    """Writes token by token, and reads everything anew each time."""
    written: list[int] = []
    while len(written) < number and not (written and written[-1] in whole.backbone.ends):
        written.append(int(log_probabilities(whole, text, written, language)[-1].argmax()))
    return written


def without_special(whole: Combination, tokens: list[int]) -> list[int]:
    return [token for token in tokens if token not in whole.backbone.tokenizer.all_special_ids]


@CASES
@torch.no_grad()
def test_writing_is_reading_everything_anew(
    combination: Callable[..., Combination], model_type: str, slots: Slots
) -> None:
    whole = filled(combination(model_type), slots)
    ids, mask = tiny.batch()
    written, scores = whole.generate(ids, mask, LANGUAGES, max_new_tokens=5)
    for row, language in enumerate(LANGUAGES):
        text = alone(ids, mask, row)
        expected = most_likely(whole, text, language, 5)
        assert written[row] == without_special(whole, expected)
        mean = likelihood(whole, text, expected, language) / len(expected)
        torch.testing.assert_close(scores[row], mean, atol=1e-4, rtol=1e-4)


@CASES
@torch.no_grad()
def test_continuations_are_as_likely_as_each_is_alone(
    combination: Callable[..., Combination], model_type: str, slots: Slots
) -> None:
    whole = filled(combination(model_type), slots)
    ids, mask = tiny.batch()
    sums, lengths = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    expected = torch.stack(
        [
            torch.stack([likelihood(whole, alone(ids, mask, row), answer, LANGUAGES[row]) for answer in answers])
            for row, answers in enumerate(ANSWERS)
        ]
    )
    assert sums.dtype == torch.float32
    torch.testing.assert_close(sums, expected, atol=1e-4, rtol=1e-4)
    assert lengths.tolist() == [[len(answer) for answer in answers] for answers in ANSWERS]
    for column in range(3):
        one, _ = whole.continuation_log_likelihoods(ids, mask, [[row[column]] for row in ANSWERS], LANGUAGES)
        torch.testing.assert_close(one, expected[:, [column]], atol=1e-4, rtol=1e-4)
    short, _ = whole.continuation_log_likelihoods(ids, mask, [[row[0][:1], row[1][:1]] for row in ANSWERS], LANGUAGES)
    first = torch.stack([log_probabilities(whole, alone(ids, mask, row), [], LANGUAGES[row])[0] for row in range(4)])
    begins = torch.tensor([[row[0][0], row[1][0]] for row in ANSWERS])
    torch.testing.assert_close(short, first.gather(1, begins), atol=1e-4, rtol=1e-4)


@EVERY_MODEL
@torch.no_grad()
def test_padding_changes_nothing(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch()
    three = torch.ones(4, 3, dtype=torch.long)
    wider = torch.cat([ids, three], dim=1), torch.cat([mask, 0 * three], dim=1)
    left = torch.stack([torch.cat([row[keep == 0], row[keep == 1]]) for row, keep in zip(ids, mask, strict=True)])
    written, scores = whole.generate(ids, mask, LANGUAGES, max_new_tokens=3, beams=2)
    sums, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    for padded in [wider, (left, mask.flip(1))]:
        same, close = whole.generate(*padded, LANGUAGES, max_new_tokens=3, beams=2)
        assert same == written
        torch.testing.assert_close(close, scores, atol=1e-4, rtol=1e-4)
        again, _ = whole.continuation_log_likelihoods(*padded, ANSWERS, LANGUAGES)
        torch.testing.assert_close(again, sums, atol=1e-4, rtol=1e-4)


@EVERY_MODEL
@torch.no_grad()
def test_rows_and_languages_of_a_batch_do_not_meet(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch()
    written, scores = whole.generate(ids, mask, LANGUAGES, max_new_tokens=3, beams=2)
    sums, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    for row, language in enumerate(LANGUAGES):
        text = alone(ids, mask, row)
        own, score = whole.generate(text, torch.ones_like(text), [language], max_new_tokens=3, beams=2)
        assert own == [written[row]]
        torch.testing.assert_close(score, scores[[row]], atol=1e-4, rtol=1e-4)
        weighed, _ = whole.continuation_log_likelihoods(text, torch.ones_like(text), [ANSWERS[row]], [language])
        torch.testing.assert_close(weighed, sums[[row]], atol=1e-4, rtol=1e-4)


@EVERY_MODEL
@pytest.mark.parametrize("position", ["before_bos", "after_bos"])
@torch.no_grad()
def test_a_prompt_of_real_tokens_writes_what_they_do(
    combination: Callable[..., Combination], model_type: str, position: str
) -> None:
    whole, hard = combination(model_type), combination(model_type)
    prompt = whole.add("language", "prompt", SoftPromptConfig(length=3, position=position), language="swh_Latn", seed=0)
    assert isinstance(prompt, SoftPrompt)
    tokens = torch.tensor([7, 8, 9])
    prompt.table.copy_(whole.backbone.embeddings(tokens))
    ids, mask = tiny.batch()
    front = 0 if position == "before_bos" else 1

    def with_tokens(rows: torch.Tensor, behind: torch.Tensor) -> torch.Tensor:
        return torch.cat([rows[:, :front], behind.expand(4, -1), rows[:, front:]], dim=1)

    longer = with_tokens(ids, tokens), with_tokens(mask, torch.ones_like(tokens))
    soft, soft_scores = whole.generate(ids, mask, ["swh_Latn"] * 4, max_new_tokens=4, beams=2)
    written, scores = hard.generate(*longer, max_new_tokens=4, beams=2)
    assert soft == written
    assert torch.equal(soft_scores, scores)
    soft_sums, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, ["swh_Latn"] * 4)
    assert torch.equal(soft_sums, hard.continuation_log_likelihoods(*longer, ANSWERS)[0])


@EVERY_MODEL
@torch.no_grad()
def test_the_language_decides_and_is_left_again(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch()
    hidden = whole.encode(ids, mask, ["swh_Latn"] * 4)

    def likely(language: str) -> torch.Tensor:
        whole.generate(ids, mask, [language] * 4, max_new_tokens=3, beams=2)
        return whole.continuation_log_likelihoods(ids, mask, ANSWERS, [language] * 4)[0]

    swahili = likely("swh_Latn")
    assert not torch.allclose(likely("hau_Latn"), swahili, atol=1e-3)
    assert not torch.allclose(likely(""), swahili, atol=1e-3)
    assert torch.equal(likely("swh_Latn"), swahili)
    assert torch.equal(whole.encode(ids, mask, ["swh_Latn"] * 4), hidden)


@EVERY_MODEL
@torch.no_grad()
def test_beams_find_what_is_likelier(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch()
    _, greedy = whole.generate(ids, mask, LANGUAGES, max_new_tokens=4)
    _, searched = whole.generate(ids, mask, LANGUAGES, max_new_tokens=4, beams=3)
    assert searched.mean() >= greedy.mean()


@EVERY_MODEL
@torch.no_grad()
def test_beams_are_those_of_transformers(
    combination: Callable[..., Combination], folder: Callable[[str], Path], model_type: str
) -> None:
    whole = combination(model_type)
    plain = tiny.LANGUAGE_MODELS[whole.backbone.info.family][type(whole.backbone.model.config)].from_pretrained(
        folder(model_type), attn_implementation="eager"
    )
    plain.generation_config.forced_eos_token_id = None  # BART's would end what is cut off
    ids, mask = tiny.batch()
    written, _ = whole.generate(ids, mask, max_new_tokens=6, beams=4)
    for row in range(4):
        text = alone(ids, mask, row)
        found = plain.generate(text, attention_mask=torch.ones_like(text), max_new_tokens=6, num_beams=4)[0].tolist()
        new = found[text.shape[1] :] if whole.backbone.info.family == "decoder" else found[1:]
        assert written[row] == without_special(whole, new)


@EVERY_MODEL
@torch.no_grad()
def test_enough_beams_find_the_likeliest_of_all(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch(2, 5)
    (end,) = whole.backbone.ends
    others = [token for token in range(tiny.VOCABULARY) if token != end]
    every = [[end], *([first, second] for first in others for second in range(tiny.VOCABULARY))]
    sums, lengths = whole.continuation_log_likelihoods(ids, mask, [every] * 2, ["swh_Latn", ""])
    best = (sums / lengths).max(dim=1)
    written, scores = whole.generate(ids, mask, ["swh_Latn", ""], max_new_tokens=2, beams=tiny.VOCABULARY)
    assert written == [without_special(whole, every[place]) for place in best.indices.tolist()]
    torch.testing.assert_close(scores, best.values, atol=1e-4, rtol=1e-4)


@EVERY_MODEL
@torch.no_grad()
def test_a_text_ends_where_its_end_is_written(combination: Callable[..., Combination], model_type: str) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch()
    tokenizer = whole.backbone.tokenizer
    long = [most_likely(whole, alone(ids, mask, row), language, 5) for row, language in enumerate(LANGUAGES)]
    places = {token: row.index(token) for row in long for token in row if token not in tokenizer.all_special_ids}
    end = max(places, key=lambda token: places[token])
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
    written, scores = whole.generate(ids, mask, LANGUAGES, max_new_tokens=5)
    for row, language in enumerate(LANGUAGES):
        cut = long[row][: long[row].index(end) + 1] if end in long[row] else long[row]
        assert written[row] == [token for token in cut if token not in tokenizer.all_special_ids]
        mean = likelihood(whole, alone(ids, mask, row), cut, language) / len(cut)
        torch.testing.assert_close(scores[row], mean, atol=1e-4, rtol=1e-4)


@ALL_OR_PREFIXES
def test_gradients_are_those_of_reading_everything_anew(
    combination: Callable[..., Combination], model_type: str, slots: Slots
) -> None:
    whole = filled(combination(model_type), slots)
    whole.train_only(whole.components())
    ids, mask = tiny.batch()
    weights = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def gradients(loss: torch.Tensor) -> dict[str, torch.Tensor]:
        whole.zero_grad()
        loss.backward()
        trained = {key: parameter.grad for key, parameter in whole.named_parameters() if parameter.requires_grad}
        return {key: torch.zeros(()) if grown is None else grown.clone() for key, grown in trained.items()}

    anew = [
        weights[row, column] * likelihood(whole, alone(ids, mask, row), answer, LANGUAGES[row])
        for row, answers in enumerate(ANSWERS)
        for column, answer in enumerate(answers)
    ]
    expected = gradients(torch.stack(anew).sum())
    assert sum(bool(grown.any()) for grown in expected.values()) > len(expected) / 2
    sums, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    torch.testing.assert_close(gradients((weights * sums).sum()), expected, atol=1e-3, rtol=1e-3)
    ones = [
        weights[:, [column]]
        * whole.continuation_log_likelihoods(ids, mask, [[row[column]] for row in ANSWERS], LANGUAGES)[0]
        for column in range(3)
    ]
    torch.testing.assert_close(gradients(torch.stack(ones).sum()), expected, atol=1e-3, rtol=1e-3)


@ALL_OR_PREFIXES
@torch.no_grad()
def test_bfloat16_loses_digits_only(combination: Callable[..., Combination], model_type: str, slots: Slots) -> None:
    whole = filled(combination(model_type), slots)
    ids, mask = tiny.batch()
    sums, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
        one, _ = whole.continuation_log_likelihoods(ids, mask, [row[1:2] for row in ANSWERS], LANGUAGES)
        written, scores = whole.generate(ids, mask, LANGUAGES, max_new_tokens=3, beams=2)
    assert [len(tokens) <= 3 for tokens in written] == [True] * 4
    assert scores.isfinite().all()
    assert scores.dtype == torch.float32
    assert rough.dtype == one.dtype == torch.float32
    torch.testing.assert_close(rough, sums, atol=0.3, rtol=0.03)
    torch.testing.assert_close(one, sums[:, 1:2], atol=0.3, rtol=0.03)


@ONE_OF_EACH_FAMILY
@torch.no_grad()
def test_logits_are_made_a_few_at_a_time(
    combination: Callable[..., Combination], model_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = filled(combination(model_type), EVERYTHING)
    ids, mask = tiny.batch()
    expected, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    monkeypatch.setattr("modules.combination.score.AT_ONCE", 2)
    found, _ = whole.continuation_log_likelihoods(ids, mask, ANSWERS, LANGUAGES)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model_type", ["gpt2", "bart"])
@torch.no_grad()
def test_what_is_new_must_fit_the_positions(combination: Callable[..., Combination], model_type: str) -> None:
    whole = combination(model_type)
    whole.add("task", "prompt", SoftPromptConfig(length=3), seed=0)
    # A decoder has one row of positions for all, an encoder-decoder one for the text and one for what is new.
    text, most = (20, 18) if model_type == "gpt2" else (37, tiny.POSITIONS)
    message = "with 18 tokens behind, exceed" if model_type == "gpt2" else "41 tokens of the decoder exceed"
    ids = torch.full((1, text), 9)
    mask = torch.ones_like(ids)
    whole.generate(ids, mask, max_new_tokens=most)
    with pytest.raises(ModulesError, match=message):
        whole.generate(ids, mask, max_new_tokens=most + 1)
    for answers in ([[9] * most], [[9] * most, [8]]):
        whole.continuation_log_likelihoods(ids, mask, [answers])
    with pytest.raises(ModulesError, match=message):
        whole.continuation_log_likelihoods(ids, mask, [[[9] * (most + 1), [8]]])
    with pytest.raises(ModulesError, match="exceed the 40 positions|of the decoder exceed"):
        whole.continuation_log_likelihoods(ids, mask, [[[9] * (most + 1)]])


def test_what_cannot_go_on_from_a_text_says_so(
    combination: Callable[..., Combination], folder: Callable[[str], Path]
) -> None:
    ids, mask = tiny.batch(2)
    encoder = combination("bert")
    with pytest.raises(ModulesError, match="is an encoder, which cannot go on from a text"):
        encoder.generate(ids, mask, max_new_tokens=1)
    with pytest.raises(ModulesError, match="is an encoder, which cannot go on from a text"):
        encoder.continuation_log_likelihoods(ids, mask, [[[7]]] * 2)
    headless = Combination(load_backbone(BackboneConfig(name=str(folder("llama")))))
    with pytest.raises(ModulesError, match="without its language model head"):
        headless.generate(ids, mask, max_new_tokens=1)
    for uneven in ([[[7]], [[7], [8]]], [[[7], []], [[7], [8]]], [[], []]):
        with pytest.raises(ModulesError, match="equally many continuations"):
            combination("llama").continuation_log_likelihoods(ids, mask, uneven)


def test_a_shared_backbone_does_not_write(combination: Callable[..., Combination]) -> None:
    whole = combination("llama")
    whole.shared = True
    with pytest.raises(ModulesError, match="ranks share cannot write"):
        whole.generate(*tiny.batch(), max_new_tokens=1)


def test_ranks_that_share_a_backbone_score_as_one_does(folder: Callable[[str], Path], tmp_path: Path) -> None:
    places = {model_type: folder(model_type) for model_type in shared_scores.MODELS}
    command = [sys.executable, "-m", "tests.modules.shared_scores", str(places["llama"].parent), str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        ranks = [subprocess.Popen([*command, str(rank)], cwd=ROOT, stdout=log, stderr=log) for rank in range(2)]
        try:
            codes = [rank.wait(timeout=600) for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
    assert codes == [0, 0], (tmp_path / "log").read_text()
    for model_type, place in places.items():
        for rank in range(2):
            together = load_file(tmp_path / f"{model_type}.{rank}.safetensors")
            torch.testing.assert_close(together, shared_scores.scored(place, rank, shared=False), atol=1e-4, rtol=1e-4)
