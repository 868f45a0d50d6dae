"""Figures: all that was tested is in them, legible, the same each time."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from datamodules.languages.table import LANGUAGES
from framework.reports.compare import Comparison, compare
from framework.reports.compare.figures import draw_figures, write_figures
from framework.reports.compare.figures.drawing import Drawing
from framework.reports.compare.score_rows import Cell
from framework.results.metrics import metrics_of
from tests.framework.made_runs import PROMPT_AND_ADAPTER, add, make_run

pytestmark = pytest.mark.usefixtures("unsynced_files")

NAMES = ["averages", "heat-map", "languages", "scatter"]
ALL = sorted(set(LANGUAGES) - {"qaa_Latn"})[:205]
HOSTILE = "$\\frac{$ _hidden <b> 語"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two combinations and a control, two seeds, three languages; the second lacks a seed in the last language."""
    folder = tmp_path_factory.mktemp("few")
    for seed in (0, 1):
        plain = make_run(folder, seed=seed)
        both = make_run(folder, "language prompt + task adapter", seed, combination=PROMPT_AND_ADAPTER)
        for place, language in enumerate(("eng_Latn", "hau_Latn", "zho_Hans")):
            add(plain, language, 80 - 20 * place + seed)
            if (language, seed) != ("zho_Hans", 1):
                add(both, language, 70 - 10 * place + seed)
            if language != "eng_Latn":
                add(both, language, 45 + seed, "none")
    return compare([folder], baseline="task adapter")


@pytest.fixture(scope="module")
def many(few: Comparison) -> Comparison:
    """The same rows with figures in 205 languages, of which the second lacks one."""

    def cells(row: Any, shift: float) -> dict[str, Cell]:
        some = next(iter(row.cells.values()))
        return {
            code: dataclasses.replace(some, mean=0.2 + shift + place / 400, source=False)
            for place, code in enumerate(ALL)
        }

    rows = [
        dataclasses.replace(row, cells=cells(row, 0.02 * place), missing={}) for place, row in enumerate(few.rows)
    ]
    del rows[1].cells["zul_Latn" if "zul_Latn" in ALL else ALL[-1]]
    return dataclasses.replace(few, rows=rows, languages=ALL, macro_languages=ALL)


@pytest.fixture(scope="module")
def few_drawn(few: Comparison) -> dict[str, Drawing]:
    return {drawing.name: drawing for drawing in draw_figures(few)}


@pytest.fixture(scope="module")
def many_drawn(many: Comparison) -> dict[str, Drawing]:
    return {drawing.name: drawing for drawing in draw_figures(many)}


def texts(drawing: Drawing) -> list[str]:
    found = [artist for figure in drawing.pages for artist in figure.findobj(Text)]
    # The labels of inner panels, and of an axis' other side, are there but hidden.
    shown = [one for one in found if isinstance(one, Text) and one.get_visible()]
    return [one.get_text().replace("\n", " ") for one in shown]


def gaps(drawing: Drawing) -> int:
    found = [one for figure in drawing.pages for one in figure.findobj(Rectangle)]
    return sum(isinstance(one, Rectangle) and one.get_hatch() == "//////" for one in found)


def outside(figure: Figure) -> list[str]:
    """The texts that the edge of the page cuts."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    shown = [one for one in figure.findobj(Text) if isinstance(one, Text) and one.get_text() and one.get_visible()]
    # Ticks just beyond an axis' end, which are numbers here, exist but are not drawn.
    words = [one for one in shown if not re.fullmatch(r"[\d.]+", one.get_text())]
    boxes = {one.get_text(): one.get_window_extent(renderer) for one in words}
    page = figure.bbox
    return [
        text
        for text, box in boxes.items()
        if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
    ]


class TestWhatIsShown:
    def test_each_kind_is_drawn(self, few_drawn: dict[str, Drawing], many_drawn: dict[str, Drawing]) -> None:
        assert list(few_drawn) == list(many_drawn) == NAMES

    @pytest.mark.parametrize("name", ["heat-map", "languages"])
    def test_every_language_once_with_its_name(self, many_drawn: dict[str, Drawing], name: str) -> None:
        shown = [text.split()[0] for text in texts(many_drawn[name]) if text[3:4] == "_"]
        assert sorted(shown) == ALL

    @pytest.mark.parametrize("name", NAMES)
    def test_every_combination(self, few: Comparison, few_drawn: dict[str, Drawing], name: str) -> None:
        shown = texts(few_drawn[name])
        assert {row.combination for row in few.rows} <= set(shown)

    def test_languages_of_a_family_stand_together(self, many_drawn: dict[str, Drawing]) -> None:
        shown = [text.split()[0] for text in texts(many_drawn["heat-map"]) if text[3:4] == "_"]
        families = [LANGUAGES[code].family for code in shown]
        assert len({*families}) == 1 + sum(one != other for one, other in zip(families, families[1:], strict=False))

    def test_every_figure_is_in_its_cell(self, few: Comparison, few_drawn: dict[str, Drawing]) -> None:
        shown = texts(few_drawn["heat-map"])
        for text in (".805 †", ".605", ".405", ".705 †", ".605", ".455"):
            assert text in shown

    def test_gaps_are_hatched_and_what_cannot_be_is_not(self, few_drawn: dict[str, Drawing]) -> None:
        # A language without a seed, and the control in English; their rows have no averages.
        assert {name: gaps(drawing) for name, drawing in few_drawn.items()} == {
            "averages": 2,
            "heat-map": 4,
            "languages": 2,
            "scatter": 0,
        }

    @pytest.mark.parametrize("name", ["heat-map", "languages", "scatter"])
    def test_sources_are_marked_and_the_mark_explained(self, few_drawn: dict[str, Drawing], name: str) -> None:
        shown = texts(few_drawn[name])
        assert any(text == "†" or text.endswith(" †") for text in shown)
        assert any("†: the task was trained on this language; not zero-shot" in text for text in shown)

    def test_a_combination_is_not_parted_from_its_controls(self, few: Comparison) -> None:
        rows = [
            dataclasses.replace(row, combination=f"{number}", control=row.control)
            for number in range(30)
            for row in few.rows[1:]
        ]
        averages, heat_map, *_ = draw_figures(dataclasses.replace(few, rows=[few.rows[0], *rows]))
        for drawing in (averages, heat_map):
            assert len(drawing.pages) == 2
            second = texts(Drawing("", "", drawing.pages[1:]))
            assert second.index("17") < second.index("· no language component")

    def test_axes_say_the_metrics_shown_name(self, few: Comparison) -> None:
        renamed = dataclasses.replace(few, metric=metrics_of("tagging")["span_f1"])
        for drawing in draw_figures(renamed)[:3]:
            assert any("span F1" in text for text in texts(drawing))
            assert not any("span_f1" in text for text in texts(drawing))

    def test_stars_and_baseline(self, tmp_path: Path) -> None:
        for label, right in (("a", 90), ("b", 40)):
            for seed in range(2):
                add(make_run(tmp_path, label, seed), "hau_Latn", right)
        averages = draw_figures(compare([tmp_path], baseline="a"))[0]
        assert any(text.endswith("baseline") for text in texts(averages))
        assert any(text.startswith(".400 [") and text.endswith("] *") for text in texts(averages))

    def test_a_combination_alone_is_scattered_against_nothing(self, tmp_path: Path) -> None:
        add(make_run(tmp_path), "hau_Latn", 50)
        assert [drawing.name for drawing in draw_figures(compare([tmp_path]))] == NAMES[:3]

    @pytest.mark.parametrize("languages", [["hau_Latn", "yor_Latn"], ALL[:12]])
    def test_where_no_language_has_all_seeds_there_is_nothing_to_draw(
        self, tmp_path: Path, languages: list[str]
    ) -> None:
        for seed in (0, 1):
            run = make_run(tmp_path, seed=seed)
            for language in languages[seed::2]:
                add(run, language, 50)
        assert draw_figures(compare([tmp_path])) == []

    def test_a_label_is_no_formula_and_never_hidden(self, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
        for label in (HOSTILE, "_b"):
            for language in ("hau_Latn", "xqz_Latn"):
                add(make_run(tmp_path, label), language, 50)
        drawings = draw_figures(compare([tmp_path]))
        assert all(drawing.svgs() for drawing in drawings)
        assert {HOSTILE, "_b"} <= set(texts(drawings[2]))
        assert [str(warning.message) for warning in recwarn] == []


class TestLegibility:
    @pytest.mark.parametrize("name", NAMES)
    def test_pages_fit_a_page_and_no_letter_is_small(
        self, few_drawn: dict[str, Drawing], many_drawn: dict[str, Drawing], name: str
    ) -> None:
        for figure in few_drawn[name].pages + many_drawn[name].pages:
            width, height = figure.get_size_inches()
            assert width == pytest.approx(6.3)
            assert height < 9.9
            assert min(one.get_fontsize() for one in figure.findobj(Text) if isinstance(one, Text)) >= 6

    @pytest.mark.parametrize("name", NAMES)
    def test_no_text_is_cut_off(
        self, few_drawn: dict[str, Drawing], many_drawn: dict[str, Drawing], name: str
    ) -> None:
        for figure in few_drawn[name].pages + many_drawn[name].pages:
            assert outside(figure) == []


class TestFiles:
    def test_pdf_and_png(self, few: Comparison, few_drawn: dict[str, Drawing], tmp_path: Path) -> None:
        files = write_figures(few, list(few_drawn.values()), tmp_path / "new")
        assert [file.name for file in files] == [f"{name}-accuracy.{kind}" for name in NAMES for kind in ("pdf", "png")]
        for file in files:
            content = file.read_bytes()
            assert content.startswith(b"%PDF" if file.suffix == ".pdf" else b"\x89PNG")
            if file.suffix == ".pdf":
                assert b"/FontFile2" in content  # TrueType, embedded
                assert b"/Type3" not in content

    def test_the_same_again_is_left_as_it_is(
        self, few: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = {file: file.stat().st_mtime_ns for file in write_figures(few, draw_figures(few), tmp_path)}
        monkeypatch.setitem(mpl.rcParams, "font.size", 20)  # a matplotlibrc of the user's
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
        again = write_figures(few, draw_figures(few), tmp_path)
        assert {file: file.stat().st_mtime_ns for file in again} == before

    def test_pages_that_are_too_many_go(self, few: Comparison, few_drawn: dict[str, Drawing], tmp_path: Path) -> None:
        for name in ("heat-map-accuracy-7.png", "heat-map-accuracy-mine.png", "heat-map-macro_f1-1.png"):
            (tmp_path / name).touch()
        write_figures(few, [few_drawn["heat-map"]], tmp_path)
        assert sorted(file.name for file in tmp_path.iterdir()) == [
            "heat-map-accuracy-mine.png",
            "heat-map-accuracy.pdf",
            "heat-map-accuracy.png",
            "heat-map-macro_f1-1.png",
        ]
