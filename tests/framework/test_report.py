"""The report: all on one page that asks for nothing, whatever the runs call themselves."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from framework.reports.compare import Comparison, compare
from framework.reports.compare.figures import draw_figures
from framework.reports.compare.report import report, write_report
from framework.reports.compare.report.tables import Table, tables
from framework.results.run_folder import RunFolder
from tests.browser import CHROMIUM, Page, browser
from tests.framework.made_runs import PROMPT_AND_ADAPTER, add, make_run

pytestmark = pytest.mark.usefixtures("unsynced_files")

HOSTILE = '<script>alert(1)</script> & "quoted" <img src=http://example.org/x.png>'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two combinations with controls, one of a hostile name, two seeds, three languages, one cell missing."""
    folder = tmp_path_factory.mktemp("study")
    for seed in (0, 1):
        plain = make_run(folder, seed=seed, notes=[f"A note {HOSTILE}."])
        both = make_run(folder, HOSTILE.replace("/", "|"), seed, combination=PROMPT_AND_ADAPTER)
        for place, language in enumerate(("eng_Latn", "hau_Latn", "zho_Hans")):
            add(plain, language, 80 - 20 * place + seed)
            if (language, seed) != ("zho_Hans", 1):
                add(both, language, 60 + 10 * place + seed)
            if language != "eng_Latn":
                add(both, language, 5 + seed, "none")
        yaml_of(plain).write_text("combination: plain\n")
        yaml_of(both).write_text(f"# {HOSTILE}\ncombination: both\n")
    return folder


def yaml_of(run: RunFolder) -> Path:
    return run.path / "experiment.yaml"


@pytest.fixture(scope="module")
def comparison(study: Path) -> Comparison:
    return compare([study], baseline="task adapter", group=["script", "seen"], by="seed")


@pytest.fixture(scope="module")
def html(comparison: Comparison) -> str:
    return report(comparison, draw_figures(comparison))


class Reader(HTMLParser):
    """Collects a page's tags and texts as a browser would read them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_all_languages_combinations_and_sentences_are_there(comparison: Comparison, html: str) -> None:
    texts = Reader(html).texts
    for text in [*comparison.languages, *comparison.legend, *(row.combination for row in comparison.rows)]:
        assert text in texts
    assert "Chinese (Simplified)" in texts
    assert "Sino-Tibetan" in texts
    assert "–" in texts
    assert [text for text in texts if " †" in text and text[0] == "."] == [".805 ± .007 †", ".605 ± .007 †"]


@pytest.fixture(scope="module")
def named(comparison: Comparison) -> dict[str, Table]:
    return {table.name: table for table in tables(comparison)}


class TestTables:
    """Each row says by itself what it is; what there is more of becomes the rows."""

    def test_what_was_asked_for_is_there(self, named: dict[str, Table]) -> None:
        # Latin and Han script; the second combination has a gap, and so no averages.
        groups = ["Averages by script", "Differences by script", "Averages by seen", "Differences by seen"]
        assert list(named) == ["Averages", "Pivot", *groups, "Languages", "Differences by language"]
        pivot = named["Pivot"]
        assert pivot.columns == ["combination", "0", "1"]
        assert [row[0] for row in pivot.rows] == ["task adapter", HOSTILE.replace("/", "|")]

    def test_few_are_columns_and_many_are_rows(self, named: dict[str, Table], comparison: Comparison) -> None:
        few, many = named["Languages"], named["Differences by language"]
        heads = ["combination", "language components"]
        assert few.columns == [*heads, "eng_Latn English", "hau_Latn Hausa", "zho_Hans Chinese (Simplified)"]
        assert [row[1] for row in few.rows] == ["own components", "own components", "no language component"]
        assert few.rows[0][2:] == [".805 ± .007 †", ".605 ± .007", ".405 ± .007"]
        assert many.columns == ["language", "name", "family", "script", comparison.rows[1].full_label]
        assert [row[:4] for row in many.rows][1] == ["hau_Latn", "Hausa", "Afro-Asiatic", "Latn"]

    def test_differences_are_of_what_is_zero_shot_and_whole(self, named: dict[str, Table]) -> None:
        english, hausa, chinese = [row[4] for row in named["Differences by language"].rows]
        assert hausa.startswith("+.100 [")
        # The task was trained on the one, and the second combination has a gap in the other.
        assert (english, chinese) == ("–", "–")

    def test_stars_are_explained_wherever_they_stand(self, tmp_path: Path) -> None:
        for label, right in (("a", 90), ("b", 40)):
            for seed in range(2):
                add(make_run(tmp_path, label, seed), "hau_Latn", right)
        for table in tables(compare([tmp_path], baseline="a", group=["script"])):
            has_star = any("*" in cell for row in table.rows for cell in row)
            assert has_star == (table.name != "Averages by script"), table.name
            assert ("*: differs from a" in table.says) == has_star, table.name

    def test_groups_say_their_sizes_and_sources(self, named: dict[str, Table]) -> None:
        by_script = named["Averages by script"]
        assert by_script.columns == ["combination", "language components", "Latn (1)", "Hans (1)"]
        assert "ISO 15924" in by_script.says
        assert by_script.rows[0][2].startswith(".605 [")
        assert named["Differences by script"].columns[:2] == ["script", "languages"]
        assert named["Differences by script"].rows == [["Latn", "1", "–"], ["Hans", "1", "–"]]

    def test_without_a_baseline_there_are_no_differences(self, study: Path) -> None:
        names = [table.name for table in tables(compare([study], group=["script"]))]
        assert names == ["Averages", "Averages by script", "Languages"]


def test_it_asks_for_nothing(html: str) -> None:
    tags = Reader(html).tags
    addresses = [value for _, attrs in tags for name, value in attrs.items() if name in ("src", "href", "srcset")]
    assert addresses
    assert all(value is not None and value.startswith(("data:image/svg+xml;base64,", "#")) for value in addresses)
    assert {tag for tag, _ in tags}.isdisjoint({"link", "iframe", "object", "embed", "base"})
    assert "url(" not in html
    assert "@import" not in html


def test_no_label_becomes_a_tag(html: str) -> None:
    reader = Reader(html)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert html.count("<script>") == 1
    assert any("<script>alert(1)</script>" in text for text in reader.texts)
    assert all("example.org" not in str(attrs) for tag, attrs in reader.tags if tag != "meta")


def test_it_is_accessible(html: str) -> None:
    tags = Reader(html).tags
    assert ("html", {"lang": "en"}) in tags
    assert all(attrs.get("alt") for tag, attrs in tags if tag == "img")
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in tags if tag == "th")
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert all(attrs["aria-describedby"] in ids and attrs["aria-label"] for tag, attrs in tags if tag == "table")
    assert all(str(attrs["href"])[1:] in ids for tag, attrs in tags if tag == "a")
    assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in tags)


def test_equal_experiments_are_shown_once(html: str) -> None:
    texts = Reader(html).texts
    assert texts.count("combination: plain\n") == 1
    assert "task adapter, seed 0; task adapter, seed 1" in texts


def test_what_made_the_runs_is_said(tmp_path: Path) -> None:
    from dataclasses import replace

    for seed, version in ((0, "2.12"), (1, "2.13")):
        run = make_run(tmp_path, seed=seed)
        add(run, "hau_Latn", 50)
        made = {"command": "modulingua run a.yaml", "commit": "abc123", "versions": {"torch": version}}
        run.write_record(replace(run.record, **made))
    texts = Reader(report(compare([tmp_path]), [])).texts
    assert texts.count("# at commit abc123\nmodulingua run a.yaml") == 1
    assert "2.12, 2.13" in texts


def test_the_same_runs_give_the_same_page(comparison: Comparison, html: str, tmp_path: Path) -> None:
    file = write_report(comparison, draw_figures(comparison), tmp_path)
    assert file.read_text() == html
    before = file.stat().st_mtime_ns
    write_report(comparison, draw_figures(comparison), tmp_path)
    assert file.stat().st_mtime_ns == before


def test_the_command_writes_what_is_asked_for(study: Path, tmp_path: Path) -> None:
    from framework import cli

    cli.compare([study], out=[tmp_path])
    texts = {"results.csv", "averages-accuracy.csv", "table-accuracy.md", "table-accuracy.tex"}
    assert {file.name for file in tmp_path.iterdir()} == texts
    cli.compare([study], out=[tmp_path], report=True)
    assert {file.name for file in tmp_path.iterdir()} == {*texts, "report.html"}
    cli.compare([study], out=[tmp_path], figures=True)
    assert (tmp_path / "heat-map-accuracy.pdf").is_file()


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    file = write_report(comparison, draw_figures(comparison), tmp_path_factory.mktemp("page"))
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.open(file)
        yield opened


@pytest.mark.browser
class TestInABrowser:
    """Pressed are the heads of the languages' table: combination, language components, English, Hausa, Chinese."""

    def head(self, column: int) -> str:
        return f"document.querySelector('[aria-label=\"Languages\"] thead').rows[0].cells[{column}]"

    def column(self, page: Page, number: int) -> list[str]:
        rows = "document.querySelectorAll('[aria-label=\"Languages\"] > table > tbody > tr')"
        shown: list[str] = page.evaluate(f"[...{rows}].map((row) => row.cells[{number}].textContent)")
        return shown

    def press_head(self, page: Page, column: int) -> str:
        page.evaluate(f"{self.head(column)}.querySelector('button').click()")
        sorted_how: str = page.evaluate(f"{self.head(column)}.getAttribute('aria-sort')")
        return sorted_how

    def test_a_press_on_a_head_sorts_and_what_is_missing_stands_last_either_way(self, page: Page) -> None:
        assert self.press_head(page, 4) == "descending"
        assert self.column(page, 4) == [".405 ± .007", ".055 ± .007", "–"]
        assert self.press_head(page, 4) == "ascending"
        assert self.column(page, 4) == [".055 ± .007", ".405 ± .007", "–"]

    def test_words_sort_as_words(self, page: Page) -> None:
        assert self.press_head(page, 1) == "ascending"
        assert self.column(page, 1) == ["no language component", "own components", "own components"]
        assert self.press_head(page, 0) == "ascending"
        assert self.column(page, 0)[-1] == "task adapter"

    def test_by_keyboard(self, page: Page) -> None:
        page.evaluate(f"{self.head(0)}.querySelector('button').focus()")
        page.press("Tab")
        page.press("Enter", "\r")
        assert page.evaluate(f"{self.head(1)}.getAttribute('aria-sort')") == "ascending"
        assert self.column(page, 1)[0] == "no language component"

    def test_printed_heads_are_text(self, page: Page) -> None:
        """Chromium leaves the heads of a table's later pages empty where they are boxes of their own."""
        page.send("Emulation.setEmulatedMedia", media="print")
        shown = page.evaluate(f"getComputedStyle({self.head(0)}.querySelector('button')).display")
        page.send("Emulation.setEmulatedMedia", media="")
        assert shown == "contents"

    def test_figures_load_and_nothing_else_is_asked_for(self, page: Page) -> None:
        assert page.evaluate("document.images.length") >= 4
        assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
        asked = [one["params"]["request"]["url"] for one in page.events if one["method"] == "Network.requestWillBeSent"]
        assert {re.split("[:]", url)[0] for url in asked} <= {"file", "data"}
        told = [one for one in page.events if one["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        assert told == []
