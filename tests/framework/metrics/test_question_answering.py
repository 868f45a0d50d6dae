"""The metrics of answers against values worked out by hand and against torchmetrics' copy of SQuAD's script."""

import json
import random

import pytest
from torchmetrics.functional.text import squad

from framework.results.metrics import metrics_of
from framework.results.metrics.normalization import normalized


def scores(gold: list[list[str]], predicted: list[str], language: str = "eng_Latn") -> dict[str, float]:
    texts = [json.dumps(answers, ensure_ascii=False) for answers in gold]
    found = metrics_of("question answering").items()
    return {name: metric.score(texts, predicted, language) for name, metric in found}


def test_by_hand() -> None:
    # 1 of 2 words are right, and all of gold: P = 1/2, R = 1; then right but for what does not matter.
    assert scores([["Paris"], ["the Eiffel Tower"]], ["Paris France", "Eiffel  tower!"]) == {
        "token_f1": pytest.approx((2 * 0.5 * 1 / 1.5 + 1) / 2),
        "exact_match": 0.5,
    }
    assert list(metrics_of("question answering"))[0] == "token_f1"


def test_the_best_gold_answer_counts() -> None:
    found = scores([["in the year 1066", "1066", "October 1066"]], ["1066"])
    assert found == {"token_f1": 1, "exact_match": 1}
    assert scores([["in 1066", "October 14 1066"]], ["1066"])["token_f1"] == pytest.approx(2 / 3)


def test_words_count_as_often_as_both_have_them() -> None:
    # "new new york" and "new york": two shared of three and two
    assert scores([["New York"]], ["new new york"])["token_f1"] == pytest.approx(2 * 2 / (3 + 2))


def test_a_question_without_an_answer() -> None:
    for gold in ([[]], [[""]]):
        assert scores(gold, [""]) == {"token_f1": 1, "exact_match": 1}
        assert scores(gold, ["Paris"]) == {"token_f1": 0, "exact_match": 0}
    assert scores([["Paris"]], [""]) == {"token_f1": 0, "exact_match": 0}


@pytest.mark.parametrize("seed", range(20))
def test_english_as_squad(seed: int) -> None:
    draw = random.Random(seed)
    words = ["The", "a", "an", "anthem", "Tower", "tower,", "U.S.", "14", "–", "d'Arc", "€5", "o\u2019clock", "—a"]

    def text(least: int) -> str:
        return "  ".join(draw.choices(words, k=draw.randint(least, 5)))

    gold = [[text(1) for _ in range(draw.randint(1, 3))] for _ in range(30)]
    predicted = [text(0) for _ in gold]
    found = scores(gold, predicted)
    expected = squad(
        [{"prediction_text": answer, "id": str(number)} for number, answer in enumerate(predicted)],
        [{"answers": {"text": texts, "answer_start": [0]}, "id": str(number)} for number, texts in enumerate(gold)],
    )
    assert found["token_f1"] == pytest.approx(expected["f1"].item() / 100)
    assert found["exact_match"] == pytest.approx(expected["exact_match"].item() / 100)


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("eng_Latn", "The  U.S. has a “plan”", ["us", "has", "“plan”"]),
        ("spa_Latn", "¿La ciudad de los Reyes?", ["ciudad", "de", "reyes"]),
        ("deu_Latn", "Einer der „alten“ Häuser", ["alten", "häuser"]),
        ("arb_Arab", "الكتاب، بالقاهرة", ["كتاب", "ب", "قاهرة"]),
        ("vie_Latn", "thủ đô của Pháp", ["thủ", "đô", "pháp"]),
        ("hin_Deva", "दिल्ली का लाल क़िला।", ["दिल्ली", "का", "लाल", "क़िला"]),
        ("zho_Hans", "在1989年，Apple公司", ["在", "1989", "年", "apple", "公", "司"]),
        ("zho_Hant", "臺灣 大學", ["臺", "灣", "大", "學"]),
        ("tha_Thai", "ปี 1989", ["ป", "ี", "1989"]),
        ("jpn_Jpan", "東京タワー!", ["東", "京", "タ", "ワ", "ー"]),
        ("swh_Latn", "The «mji» wa Dar-es-Salaam", ["the", "mji", "wa", "daressalaam"]),
        ("ell_Grek", "ο Πύργος;", ["ο", "πύργος"]),
    ],
)
def test_normalisation(language: str, text: str, words: list[str]) -> None:
    assert list(normalized(text, language)) == words


def test_chinese_is_compared_letter_by_letter() -> None:
    assert scores([["北京大学"]], ["北京"], "zho_Hans")["token_f1"] == pytest.approx(2 * 2 / (4 + 2))
    assert scores([["北京大学"]], ["北京"], "swh_Latn")["token_f1"] == 0
