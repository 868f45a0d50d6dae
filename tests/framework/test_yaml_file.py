"""An experiment's YAML as plain data: what wins over what, and where each key was written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.config.yaml_file import ExperimentSource, read
from framework.errors import ExperimentError, UserError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file below the test's folder."""

    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def data(source: ExperimentSource) -> dict[str, Any]:
    [cell] = source.cells
    return cell.data


def mistakes(file: Path, *overrides: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ExperimentError) as error:
        read(file, list(overrides))
    return [(mistake.place, mistake.key, mistake.reason) for mistake in error.value.mistakes]


class TestExtends:
    def test_later_files_win_and_the_file_itself_wins_over_all(self, write: Write) -> None:
        write("a.yaml", "who: a\na: 1\nb: 1\n")
        write("b.yaml", "who: b\nb: 2\n")
        file = write("c.yaml", "extends: [a.yaml, b.yaml]\nwho: c\n")
        assert data(read(file)) == {"who": "c", "a": 1, "b": 2}

    def test_mappings_are_merged_and_all_else_is_replaced(self, write: Write) -> None:
        write("a.yaml", "map: {x: {y: 1, z: 1}, w: 1}\nlist: [1, 2, 3]\nmade: {a: 1}\nlost: {a: 1}\n")
        file = write("b.yaml", "extends: [a.yaml]\nmap: {x: {z: 2}}\nlist: [4]\nmade: 5\nlost: null\n")
        assert data(read(file)) == {"map": {"x": {"y": 1, "z": 2}, "w": 1}, "list": [4], "made": 5, "lost": None}

    def test_paths_are_seen_from_the_file_that_extends(self, write: Write) -> None:
        write("shared/grand.yaml", "grand: 1\n")
        write("shared/parent.yaml", "extends: [grand.yaml]\nparent: 1\n")
        file = write("study/child.yaml", "extends: [../shared/parent.yaml]\n")
        assert data(read(file)) == {"grand": 1, "parent": 1}

    def test_a_file_may_be_reached_on_two_ways(self, write: Write) -> None:
        write("base.yaml", "x: base\ny: base\n")
        write("left.yaml", "extends: [base.yaml]\nx: left\n")
        write("right.yaml", "extends: [base.yaml]\ny: right\n")
        file = write("child.yaml", "extends: [left.yaml, right.yaml]\n")
        assert data(read(file)) == {"x": "base", "y": "right"}

    def test_a_circle_is_named(self, write: Write) -> None:
        write("a.yaml", "extends: [b.yaml]\n")
        write("b.yaml", "extends: [c.yaml]\n")
        write("c.yaml", "extends: [a.yaml]\n")
        [(_, key, reason)] = mistakes(write("start.yaml", "extends: [a.yaml]\n"))
        assert key == "extends"
        assert reason == "the files extend each other in a circle: a.yaml -> b.yaml -> c.yaml -> a.yaml"

    def test_a_missing_parent_is_named_with_its_place(self, write: Write) -> None:
        write("base.yaml", "x: 1\n\nextends: [gone.yaml]\n")
        file = write("child.yaml", "extends:\n  - base.yaml\n  - lost.yaml\n")
        assert mistakes(file) == [
            ("base.yaml line 3", "extends[0]", "there is no file gone.yaml"),
            ("line 3", "extends[1]", "there is no file lost.yaml"),
        ]

    def test_files_that_extend_others_without_end_are_refused(self, write: Write) -> None:
        for number in range(30):
            write(f"n{number}.yaml", f"extends: [n{number + 1}.yaml, n{number + 1}.yaml]\n")
        write("n30.yaml", "x: 1\n")
        [(_, key, reason)] = mistakes(write("a.yaml", "extends: [n0.yaml]\n"))
        assert (key, reason) == ("extends", "puts more than 100 files together")

    def test_of_many_mistakes_the_first_are_shown(self, write: Write) -> None:
        lines = "".join(f"- n{number}.yaml\n" for number in range(10_000))
        with pytest.raises(ExperimentError) as error:
            read(write("a.yaml", f"extends:\n{lines}"))
        heading, *shown, last = str(error.value).splitlines()
        assert heading.endswith(" has 10,000 mistakes:")
        assert (len(shown), last) == (25, "  … and 9,975 more")

    @pytest.mark.parametrize("value", ["base.yaml", "[1]", "{a: b}"])
    def test_only_a_list_of_paths_can_be_extended(self, write: Write, value: str) -> None:
        [(place, key, reason)] = mistakes(write("a.yaml", f"extends: {value}\n"))
        assert (place, key) == ("line 1", "extends")
        assert "list of paths" in reason


class TestPaths:
    def test_a_dotted_path_is_anchored_to_the_file_that_it_stands_in(self, write: Write, tmp_path: Path) -> None:
        write("shared/base.yaml", "data: {path: ./texts}\nbackbone: {name: ../models/tiny}\n")
        file = write("study/child.yaml", "extends: [../shared/base.yaml]\npairs: [{file: '../{language}.tsv'}]\n")
        found = data(read(file))
        assert found["data"]["path"] == str(tmp_path / "shared" / "texts")
        assert found["backbone"]["name"] == str(tmp_path / "models" / "tiny")
        assert found["pairs"] == [{"file": str(tmp_path / "{language}.tsv")}]

    def test_the_name_of_the_experiment_is_no_path(self, write: Write) -> None:
        assert data(read(write("a.yaml", "name: ./mine\nbackbone: {name: mine}\n")))["name"] == "./mine"

    def test_other_paths_and_other_texts_stay_as_they_are(self, write: Write) -> None:
        file = write("a.yaml", "data: {path: texts, name: sib200}\nprefix: ./not-a-path\nabsolute: {path: /texts}\n")
        assert data(read(file)) == {
            "data": {"path": "texts", "name": "sib200"},
            "prefix": "./not-a-path",
            "absolute": {"path": "/texts"},
        }

    def test_a_path_of_the_command_line_is_seen_from_the_working_folder(self, write: Write) -> None:
        file = write("a.yaml", "data: {path: ./texts}\n")
        assert data(read(file, ["data.path=./mine"])) == {"data": {"path": "./mine"}}


class TestOverrides:
    def test_they_win_over_every_file(self, write: Write) -> None:
        write("base.yaml", "stages: {task: {batch_size: 16, training: {steps: 100}}}\nseeds: [0]\n")
        file = write("a.yaml", "extends: [base.yaml]\nname: a\n")
        words = ["stages.task.training.steps=5", "seeds=[1,2]", "name=b", "data.path=x=y"]
        assert data(read(file, words)) == {
            "stages": {"task": {"batch_size": 16, "training": {"steps": 5}}},
            "seeds": [1, 2],
            "name": "b",
            "data": {"path": "x=y"},
        }

    def test_the_last_of_two_wins(self, write: Write) -> None:
        assert data(read(write("a.yaml", "x: 1\n"), ["x=2", "x=3"])) == {"x": 3}

    @pytest.mark.parametrize(
        ("word", "value"),
        [("x=", None), ("x=1e-3", 0.001), ("x=true", True), ("x=off", "off"), ("x={a: [1]}", {"a": [1]})],
    )
    def test_their_values_are_yaml(self, write: Write, word: str, value: Any) -> None:
        assert data(read(write("a.yaml", "x: 1\n"), [word])) == {"x": value}

    def test_they_reach_into_the_grid(self, write: Write) -> None:
        file = write("a.yaml", "grid: {a.b: [1, 2, 3], c: [1]}\n")
        assert [cell.data for cell in read(file, ["grid.a.b=[7,8]"]).cells] == [
            {"a": {"b": 7}, "c": 1},
            {"a": {"b": 8}, "c": 1},
        ]
        assert [cell.data for cell in read(file, ["grid.d.e=[9]", "grid.a.b=[7]"]).cells] == [
            {"a": {"b": 7}, "c": 1, "d": {"e": 9}}
        ]
        assert [cell.data for cell in read(file, ["grid=null"]).cells] == [{}]

    def test_they_are_used_by_what_refers_to_them(self, write: Write) -> None:
        file = write("a.yaml", "data: {path: a}\ntext: {path: '${data.path}'}\n")
        assert data(read(file, ["data.path=b"]))["text"] == {"path": "b"}

    @pytest.mark.parametrize("word", ["a.b=5", "a.b.c=5"])
    def test_what_the_grid_sets_cannot_be_set_beside_it(self, write: Write, word: str) -> None:
        file = write("a.yaml", "a: {b: 0, d: 0}\ngrid: {a.b: [1, 2]}\n")
        [(place, key, reason)] = mistakes(file, word)
        assert (place, key) == ("command line", word.partition("=")[0])
        assert reason.startswith("the grid sets a.b; override grid.a.b=[…]")
        assert len(read(file, ["a.d=5"]).cells) == 2
        assert [cell.data["a"]["b"] for cell in read(file, ["grid=null", "a.b=5"]).cells] == [5]

    def test_every_word_that_is_none_is_named(self, write: Write) -> None:
        found = mistakes(write("a.yaml", "x: 1\n"), "steps", "=3", "x=[1", "y=2")
        assert [key for _, key, _ in found] == ["steps", "=3", "x"]
        assert found[0][2] == "an override is written key=value"
        assert found[2][:2] == ("command line", "x")
        assert found[2][2].startswith("'[1' is not a YAML value: expected ',' or ']'")

    def test_they_are_bounded(self, write: Write) -> None:
        found = mistakes(write("a.yaml", "x: 1\n"), f"{'a.' * 99}b=1", f"x={'[' * 99}", f"x={'1' * 99}")
        assert all("more than 50 deep" in reason for _, _, reason in found[:2])
        assert "is too large" in found[2][2]


class TestInterpolation:
    def test_it_takes_values_of_other_files_with_their_types(self, write: Write) -> None:
        write("base.yaml", "steps: 3\ntext: {path: '${data.path}', prefix: 'in ${name}'}\n")
        file = write("a.yaml", "extends: [base.yaml]\nname: x\ndata: {path: p}\nlong: '${steps}'\n")
        assert data(read(file)) == {
            "steps": 3,
            "text": {"path": "p", "prefix": "in x"},
            "name": "x",
            "data": {"path": "p"},
            "long": 3,
        }

    def test_it_follows_the_grid(self, write: Write) -> None:
        file = write("a.yaml", "data: {prefix: x}\ntext: {prefix: '${data.prefix}'}\ngrid: {data.prefix: [y, z]}\n")
        assert [cell.data["text"]["prefix"] for cell in read(file).cells] == ["y", "z"]

    def test_an_unknown_key_is_named_with_its_place(self, write: Write) -> None:
        write("base.yaml", "x: 1\ntext:\n  parts:\n    - path: ${data.pth}\n")
        file = write("a.yaml", "extends: [base.yaml]\ndata: {path: p}\n")
        source = read(file)
        [cell] = source.cells
        [(key, reason)] = cell.unresolved.items()
        assert (source.place(key), key) == ("base.yaml line 4", ("text", "parts", 0, "path"))
        assert "'data.pth' not found" in reason
        assert cell.data["text"]["parts"] == [{"path": "${data.pth}"}]

    def test_each_that_has_no_value_is_named(self, write: Write) -> None:
        file = write("a.yaml", "a: ${b}\nb: ${c}\nd: [1, '${oc.env:NOT_THERE}']\ne: {f: '${e}'}\ng: ${d[0]}\n")
        [cell] = read(file).cells
        assert list(cell.unresolved) == [("a",), ("b",), ("d", 1), ("e", "f")]
        assert cell.data["g"] == 1

    def test_one_that_cannot_be_read_is_named_with_its_place(self, write: Write) -> None:
        source = read(write("a.yaml", "x: 1\ny: {z: '${x'}\n"))
        [(key, reason)] = source.cells[0].unresolved.items()
        assert (source.place(key), key) == ("line 2", ("y", "z"))
        assert reason == "'${x' cannot be read: write ${key} or ${oc.env:NAME}"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("${a}", "refers to itself"),
            ("${a.b}", "refers to itself"),
            ("${x[9]}", "'x[9]' not found"),
            ("${nmae}", "'nmae' not found; did you mean 'name'?"),
            ("in ${x}", "'x' is a list or a mapping and cannot be part of a text"),
            ("${x.${y}}", "'${x.${y}}' cannot be read: write ${key} or ${oc.env:NAME}"),
            ("${oc.decode:1}", "'oc.decode:1' is neither a key nor oc.env:NAME"),
            ("${oc.env:NOT_THERE}", "there is no environment variable NOT_THERE"),
        ],
    )
    def test_the_reason_is_said(self, write: Write, text: str, reason: str) -> None:
        [cell] = read(write("a.yaml", f"x: [1, 2]\nname: n\na: '{text}'\n")).cells
        assert cell.unresolved == {("a",): reason}
        assert cell.data["a"] == text

    def test_it_leads_through_others(self, write: Write) -> None:
        file = write("a.yaml", "a: ${b}\nb: {c: '${d}', e: ['${b.c}', 'x${f}']}\nd: 1\nf: ${oc.env:NOT_THERE,y}\n")
        found = data(read(file))
        assert found["a"] == found["b"] == {"c": 1, "e": [1, "xy"]}
        assert found["a"] is not found["b"]

    def test_variables_are_read_but_for_secrets(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ["HF_TOKEN", "WANDB_API_KEY", "db_password", "AwsSecret", "DB_PASSWD", "GPG_PASSPHRASE", "SMTP_PASS"]
        names += ["GITHUB_PAT", "AUTH", "NETRC_AUTH_2", "GOOGLE_APPLICATION_CREDENTIALS"]
        for name in ("FOLDER", *names):
            monkeypatch.setenv(name, "hunter2")
        text = "".join(f"x{number}: ${{oc.env:{name}}}\n" for number, name in enumerate(names))
        [cell] = read(write("a.yaml", f"fine: a/${{oc.env:FOLDER}}\n{text}")).cells
        assert cell.data.pop("fine") == "a/hunter2"
        assert "hunter2" not in str(cell)
        reasons = cell.unresolved.values()
        assert all(name in reason for name, reason in zip(names, reasons, strict=True))

    @pytest.mark.parametrize("name", ["PWD", "DATA_PATH", "COMPAT", "AUTHOR", "PASSAGES"])
    def test_part_of_a_word_is_no_secret(self, write: Write, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "somewhere")
        [cell] = read(write("a.yaml", f"x: ${{oc.env:{name}}}\n")).cells
        assert (cell.data, cell.unresolved) == ({"x": "somewhere"}, {})

    @pytest.mark.parametrize(
        ("line", "end", "words"),
        [
            ("a{n}: '${{a{m}}}${{a{m}}}'\n", "a40: x\n", "characters"),
            ("a{n}: {{b: '${{a{m}}}', c: '${{a{m}}}'}}\n", "a40: {x: y}\n", "values"),
            ("a{n}: ${{a{m}}}\n", "a900: x\n", "leads through more than 50 other references"),
        ],
    )
    def test_what_references_make_is_bounded(self, write: Write, line: str, end: str, words: str) -> None:
        count = int(end[1:].partition(":")[0])
        text = "".join(line.format(n=number, m=number + 1) for number in range(count)) + end
        [cell] = read(write("a.yaml", text)).cells
        assert any(words in reason for reason in cell.unresolved.values())


class TestGrid:
    @pytest.mark.parametrize(("keys", "cells"), [(4, "10,000"), (9, "1,000,000,000")])
    def test_one_that_is_too_large_is_said_at_once(self, write: Write, keys: int, cells: str) -> None:
        lines = "".join(f"  k{number}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n" for number in range(keys))
        [(place, key, reason)] = mistakes(write("a.yaml", f"grid:\n{lines}"))
        assert (place, key) == ("line 1", "grid")
        assert reason.startswith(f"has {cells} cells (10 × 10")

    @pytest.mark.parametrize("grid", ["5", "{1: [2]}", "text", "[1]"])
    def test_an_override_beside_a_wrong_one_is_read(self, write: Write, grid: str) -> None:
        file = write("a.yaml", f"x: 1\ngrid: {grid}\n")
        if grid == "{1: [2]}":
            assert read(file, ["x=2"]).cells[0].data == {"x": 2, "1": 2}
        else:
            assert mistakes(file, "x=2")[0][1] == "grid"

    def test_it_is_a_product_in_which_the_last_key_turns_fastest(self, write: Write) -> None:
        file = write("a.yaml", "a: {b: 0, c: 0}\ngrid: {a.b: [1, 2], d: [x, y, z]}\n")
        source = read(file)
        assert [(cell.data["a"], cell.data["d"]) for cell in source.cells] == [
            ({"b": b, "c": 0}, d) for b in (1, 2) for d in "xyz"
        ]
        assert source.cells[1].settings == {"a.b": 1, "d": "y"}
        assert all("grid" not in cell.data for cell in source.cells)

    def test_a_value_takes_the_place_of_the_whole_key(self, write: Write) -> None:
        file = write("a.yaml", "a: {b: {x: 1}}\ngrid: {a.b: [{}, {y: 1}]}\n")
        assert [cell.data for cell in read(file).cells] == [{"a": {"b": {}}}, {"a": {"b": {"y": 1}}}]

    def test_cells_share_nothing(self, write: Write) -> None:
        first, second = read(write("a.yaml", "a: {b: {x: []}}\ngrid: {c: [1, 2]}\n")).cells
        first.data["a"]["b"]["x"].append(1)
        assert second.data["a"]["b"]["x"] == []

    @pytest.mark.parametrize(
        ("grid", "key"), [("{a: 1}", "grid.a"), ("{a: []}", "grid.a"), ("{a: {b: [1]}}", "grid.a"), ("[1]", "grid")]
    )
    def test_it_maps_keys_to_lists(self, write: Write, grid: str, key: str) -> None:
        [(place, found, reason)] = mistakes(write("a.yaml", f"a: 1\ngrid: {grid}\n"))
        assert (place, found) == ("line 2", key)
        assert "list" in reason


class TestYaml:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1e-3", 0.001),
            ("-2E5", -200000.0),
            ("1.0e-3", 0.001),
            (".5e1", 5.0),
            ("1e", "1e"),
            ("e5", "e5"),
            ("true", True),
            ("False", False),
            ("off", "off"),
            ("no", "no"),
            ("2026-01-31", "2026-01-31"),
            ("4:00:00", "4:00:00"),
            ("3", 3),
            ("null", None),
        ],
    )
    def test_a_value_is_what_it_looks_like(self, write: Write, text: str, value: Any) -> None:
        found = data(read(write("a.yaml", f"x: {text}\n")))["x"]
        assert found == value
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        ("text", "line"),
        [("a: 1\nb: 2\na: 3\n", 3), ("x:\n  a: 1\n  b: 2\n  a: 1\n", 4), ("x: {a: 1, a: 2}\n", 1)],
    )
    def test_a_key_given_twice_is_an_error(self, write: Write, text: str, line: int) -> None:
        assert mistakes(write("a.yaml", text)) == [(f"line {line}", "", "not valid YAML: 'a' is given twice")]

    @pytest.mark.parametrize("text", ["a: [1\nb: 2\n", "a: b: c\n", "a: {{x}}\n", "a: !!python/object:os.system {}\n"])
    def test_what_cannot_be_read_is_named_with_its_line(self, write: Write, text: str) -> None:
        [(place, _, reason)] = mistakes(write("a.yaml", text))
        assert place.startswith("line ")
        assert reason.startswith("not valid YAML: ")

    @pytest.mark.parametrize("text", ["- a\n", "word\n", "3\n"])
    def test_an_experiment_is_a_mapping(self, write: Write, text: str) -> None:
        [(_, _, reason)] = mistakes(write("a.yaml", text))
        assert reason == "an experiment is a mapping of keys to values"

    def test_what_is_wrong_in_several_files_is_said_together(self, write: Write) -> None:
        write("a.yaml", "x: [\n")
        write("b.yaml", "y: 1\ny: 2\n")
        found = mistakes(write("c.yaml", "extends: [a.yaml, b.yaml, d.yaml]\n"), "word")
        assert [place for place, _, _ in found] == ["a.yaml line 2", "b.yaml line 2", "line 1", ""]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("x: !!timestamp 2026-13-45\n", "the tag !!timestamp is not supported"),
            ("x: !!set {a, b}\n", "the tag !!set is not supported"),
            ("x: !!binary aGk=\n", "the tag !!binary is not supported"),
            ("x: !!python/object/apply:os.system [ls]\n", "the tag !!python/object/apply:os.system is not supported"),
            ("x: !mine 1\n", "the tag !mine is not supported"),
            ("x: !!int abc\n", "'abc' is not a whole number"),
            ("x: !!bool maybe\n", "'maybe' is not true or false"),
            ("x: !!map [1]\n", "the tag !!map is not supported"),
            ("? [a]\n: 1\n", "a key must be text"),
            ("? !!set {a}\n: 1\n", "a key must be text"),
            ("'': 1\n", "a key must be text"),
            (f"x: {'9' * 5000}\n", "is too large: whole numbers end at 2^63"),
            (f"x: 0x{'f' * 5000}\n", "is too large"),
            ("x: .nan\n", ".nan is not a finite number"),
            ("x: 1e999\n", "1e999 is not a finite number"),
            ('x: "a\\0b"\n', "the character U+0000 is not allowed"),
            ('x: "\\ud800"\n', "the character U+D800 is not allowed"),
            ('x: "\\UFFFFFFFF"\n', "an escape names no character"),
            ("x: a\x07b\n", "the character U+0007 is not allowed"),
            ("x: &a [*a]\n", "an anchor is used within itself"),
            (f"x: {'[' * 10_000}\n", "nested more than 50 deep"),
            (f"x: [{'1,' * 60_000}]\n", "more than 50,000 values"),
            (f"# {'x' * 2**20}\n", "bytes are more than a file may hold"),
        ],
    )
    def test_what_no_experiment_may_hold(self, write: Write, text: str, words: str) -> None:
        [(place, _, reason)] = mistakes(write("a.yaml", text))
        assert place == "line 1"
        assert words in reason
        assert len(reason) < 250

    @pytest.mark.parametrize(
        "line",
        [
            "a{n}: &a{n} [*a{m}, *a{m}]\n",
            "a{n}: &a{n} {{x: *a{m}, y: *a{m}}}\n",
            "a{n}: &a{n} {{<<: [*a{m}, *a{m}]}}\n",
        ],
    )
    def test_what_anchors_repeat_is_bounded(self, write: Write, line: str) -> None:
        text = "".join(line.format(n=number, m=number - 1) for number in range(1, 40))
        [(_, _, reason)] = mistakes(write("a.yaml", f"a0: &a0 {{z: 1}}\n{text}"))
        assert "more than 50,000 values, those that anchors repeat included" in reason

    def test_keys_are_text_as_they_are_written(self, write: Write) -> None:
        found = data(read(write("a.yaml", "x: {0: a, true: b, No: c, 1.50: d, ~: e}\n")))["x"]
        assert found == {"0": "a", "true": "b", "No": "c", "1.50": "d", "~": "e"}

    def test_a_file_that_is_no_text_is_named_with_the_line(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes("name: a\nother: é\n".encode("latin-1"))
        assert mistakes(tmp_path / "a.yaml") == [("line 2", "", "not valid YAML: not UTF-8 text (byte 0xe9)")]

    def test_anchors_merge(self, write: Write) -> None:
        file = write("a.yaml", "one: &one {a: 1, b: 1}\ntwo: {<<: *one, b: 2}\n")
        assert data(read(file))["two"] == {"a": 1, "b": 2}

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"gone\.yaml: there is no such experiment file"):
            read(tmp_path / "gone.yaml")

    def test_a_folder_in_place_of_a_file_is_named_with_some_of_its_files(self, write: Write, tmp_path: Path) -> None:
        for name in ("d.yaml", "c.yaml", "b.yaml", "a.yaml", "readme.md"):
            write(f"study/{name}", "x: 1\n")
        (tmp_path / "empty").mkdir()
        with pytest.raises(UserError, match=r"study: is a folder; name a file in it, such as a.yaml, b.yaml, c.yaml$"):
            read(tmp_path / "study")
        with pytest.raises(UserError, match=r"empty: is a folder; there is no YAML file in it$"):
            read(tmp_path / "empty")

    def test_a_url_is_named_as_such(self) -> None:
        with pytest.raises(UserError, match=r"^https://example.org/a.yaml: is a URL; download the file"):
            read(Path("https://example.org/a.yaml"))

    @pytest.mark.parametrize("text", ["a:\n\tb: 1\n", "a: 1\n\tb: 2\n", "a:\n \tb: 1\n"])
    def test_a_tab_as_indentation_is_named(self, write: Write, text: str) -> None:
        [(line, _, reason)] = mistakes(write("a.yaml", text))
        assert line == "line 2"
        assert reason.endswith("; tabs are not allowed as indentation; use spaces")


def test_every_key_knows_where_it_was_written(write: Write) -> None:
    write(
        "base.yaml", "name: base\nstages:\n  task:\n    batch_size: 3\n    training: {steps: 1}\nlist:\n  - 1\n  - 2\n"
    )
    file = write(
        "a.yaml",
        "extends: [base.yaml]\n\nname: a\nstages:\n  task:\n    batch_size: 4\ngrid:\n  x.y: [1]\n  x.z: [1]\n",
    )
    source = read(file, ["data.path=p", "stages.task.training.optimzer.lr=1"])
    assert source.place(("name",)) == "line 3"
    assert source.place(("stages", "task", "batch_size")) == "line 6"
    assert source.place(("stages", "task", "training", "steps")) == "base.yaml line 5"
    assert source.place(("list", 1)) == "base.yaml line 8"
    assert source.place(("x", "z")) == "line 9"
    assert source.place(("data", "path")) == "command line"
    assert source.place(("stages", "task", "training", "optimzer")) == "command line"
    # What nobody wrote stands where the key above it does.
    assert source.place(("stages", "task", "training", "optimizer", "lr")) == "base.yaml line 5"
    assert source.place(("x", "y", "below")) == "line 8"
    assert source.place(("nowhere",)) == ""
