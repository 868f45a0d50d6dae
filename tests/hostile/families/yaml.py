"""What YAML can hold that no experiment may: tags, odd keys, huge numbers, bombs, and references to secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from tests.hostile.case import DONE, EITHER, REFUSED, Case
from tests.hostile.world import World

HUGE = "9" * 5000

TAGGED = {
    "timestamp": ["2026-13-45", "2026-01-31", "text", "''"],
    "set": ["{a, b}", "{}", "text", "[a]"],
    "omap": ["[a: 1, b: 2]", "{}", "text"],
    "pairs": ["[a: 1, a: 2]", "text"],
    "binary": ["aGVsbG8=", "'§'", "[1]"],
    "int": ["abc", "''", "1.5", HUGE, "[1]", "0x"],
    "float": ["abc", "''", "{a: 1}", ".nan"],
    "bool": ["maybe", "''", "[true]"],
    "null": ["text", "[1]"],
    "str": ["[1]", "{a: 1}"],
    "map": ["[1]", "text", "''"],
    "seq": ["{a: 1}", "text"],
    "merge": ["text"],
    "value": ["="],
    "python/object:os.system": ["{}", "ls"],
    "python/object/apply:os.system": ["[touch pwned]"],
    "python/name:os.system": ["''"],
    "python/tuple": ["[1, 2]"],
    "python/module:os": ["''"],
    "nothing": ["1"],
    "": ["1"],
}
"""Values that do not suit their tags, and tags that no experiment needs."""

ODD_KEYS = {
    "null": "null",
    "tilde": "~",
    "empty": "''",
    "true": "true",
    "a number": "3",
    "a fraction": "1.5",
    "nan": ".nan",
    "infinity": "-.inf",
    "a date": "2026-01-31",
    "5000 digits": HUGE,
    "5000 letters": "x" * 5000,
    "a list": "[a, b]",
    "a mapping": "{a: b}",
    "a dot": "'.'",
    "dots": "'...'",
    "brackets": "'a[0]'",
    "a bracket": "'['",
    "a reference": "'${name}'",
    "NUL": '"a\\0b"',
    "half a character": '"a\\ud800"',
    "an escape sequence": '"\\e[31m"',
    "a newline": '"a\\nb"',
    "a merge": "<<",
    "equals": "=",
}

SECTIONS = {
    "at the top": "{key}: 1\n",
    "in a section": "trainer:\n  {key}: 1\n",
    "in define": "define:\n  {key}: 1\n",
    "as a kind": "combination:\n  task:\n    {key}: {{}}\n",
    "as a role": "combination:\n  {key}: {{}}\n",
    "as an objective": "stages:\n  language:\n    objective:\n      {key}: {{}}\n",
    "in the grid": "grid:\n  {key}: [1]\n",
}
"""What an extending file says, where `key` is to be filled in."""

REFERENCES = {
    "to itself": "${define.a}",
    "to what it stands in": "${define}",
    "to nothing": "${}",
    "to blanks": "${ }",
    "to dots": "${...}",
    "unclosed": "${name",
    "within one": "${define.${name}}",
    "to a place that is not there": "${seeds[99]}",
    "to a huge place": f"${{seeds[{HUGE}]}}",
    "to a negative place": "${seeds[-1]}",
    "to a key of a text": "${name.x}",
    "to a mapping in a text": "x ${trainer} y",
    "by an unknown function": "${os.system:ls}",
    "by oc.decode": "${oc.decode:'[1,2]'}",
    "by oc.create": "${oc.create:'{a: 1}'}",
    "by oc.select": "${oc.select:name}",
    "by oc.dict.keys": "${oc.dict.keys:trainer}",
    "to no variable": "${oc.env:NOT_THERE}",
    "to an empty variable": "${oc.env:}",
    "to 5000 letters": f"${{{'x' * 5000}}}",
    "to a variable of 5000 letters": f"${{oc.env:{'X' * 5000}}}",
}

SECRETS = ("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET", "PASSWORD", "db_passwd", "apikey")
SECRET_PLACES = {
    "name": "name: 'x-{}'\n",
    "define": "define: {{a: '{}'}}\n",
    "runs": "runs: '{}'\n",
    "store": "store: 'store-{}'\n",
    "a prefix": "data: {{text_prefix: '{}'}}\n",
    "the tracking": "tracking: {{project: '{}'}}\n",
    "the backbone": "backbone: {{name: '{}'}}\n",
    "a wrong number": "seeds: ['{}']\n",
    "the setup of jobs": "slurm: {{setup: ['export X={}']}}\n",
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family: each a file that extends a good experiment."""
    yield Case("a good one", ["plan", "base.yaml"], {"base.yaml": world.experiment()}, codes=DONE)
    for some in (tags(), keys(), numbers(), anchors(), depths(), sizes(), grids(), references(), secrets()):
        for case in some:
            yield replace(case, files={"base.yaml": world.experiment(), **case.files})


def extension(name: str, text: str, **more: Any) -> Case:
    """Returns the case of a file that extends the good one."""
    return Case(name, ["plan", "e.yaml"], {"e.yaml": f"extends: [base.yaml]\n{text}"}, **more)


def named(value: str) -> str:
    """Returns a value as a case's name may hold it."""
    return value if len(value) < 20 else f"{value[:3]}… of {len(value)} letters"


def tags() -> Iterator[Case]:
    """Tags on values and on keys."""
    for tag, values in TAGGED.items():
        for value in values:
            yield extension(f"tag !!{tag} of {named(value)}", f"seeds: !!{tag} {value}\n")
            yield extension(f"tag !!{tag} of {named(value)} as a key", f"? !!{tag} {value}\n: 1\n")
    for tag in ("!mine", "!<tag:example.org,2026:x>", "!!python/object/new:type"):
        yield extension(f"tag {tag}", f"name: {tag} x\n", says=("tag",))


def keys() -> Iterator[Case]:
    """Keys that are no names."""
    for (name, key), (place, text) in product(ODD_KEYS.items(), SECTIONS.items()):
        codes = EITHER if place == "in define" or name == "a merge" else REFUSED
        yield extension(f"key {name} {place}", text.format(key=key), codes=codes)


def numbers() -> Iterator[Case]:
    """Numbers that nothing can hold."""
    for value in (HUGE, f"-{HUGE}", f"0x{'f' * 5000}", "1e400", "-1e400", ".nan", ".inf", "-.inf"):
        yield extension(f"{named(value)} in define", f"define: {{x: {value}}}\n", says=("line 2",))
        yield extension(f"{named(value)} as a seed", f"seeds: [{value}]\n", says=("line 2",))
        yield extension(f"{named(value)} as steps", f"stages: {{task: {{training: {{steps: {value}}}}}}}\n")
    for value in (f"0.{HUGE}", f"0.{HUGE}e-999", "1e-400", "-0.0", "1_000", "0x10", "010", "1:30.5"):
        yield extension(f"{named(value)} in define", f"define: {{x: {value}}}\n", codes=DONE)


def anchors() -> Iterator[Case]:
    """Anchors within themselves, and bombs of them."""
    lists = "".join(f"  a{n}: &a{n} [{', '.join(f'*a{n - 1}' for _ in range(10))}]\n" for n in range(1, 10))
    yield extension("bomb of anchors in lists", f"define:\n  a0: &a0 [x]\n{lists}", says=("values",))
    mappings = "".join(f"  a{n}: &a{n} {{b: *a{n - 1}, c: *a{n - 1}}}\n" for n in range(1, 31))
    yield extension("bomb of anchors in mappings", f"define:\n  a0: &a0 {{x: y}}\n{mappings}", says=("values",))
    merges = "".join(f"  a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}\n" for n in range(1, 31))
    yield extension("bomb of merge keys", f"define:\n  a0: &a0 {{x: y}}\n{merges}", says=("values",))
    within = {
        "list": "define: {a: &a [*a]}\n",
        "mapping": "define: {a: &a {b: *a}}\n",
        "merge": "define: &a\n  <<: *a\n",
        "deep": "define: &a {b: [{c: [{d: *a}]}]}\n",
    }
    for name, text in within.items():
        yield extension(f"an anchor within itself, {name}", text, says=("within itself",))


def depths() -> Iterator[Case]:
    """Values nested in each other."""
    for depth in (60, 300, 10_000):
        yield extension(f"lists nested {depth} deep", f"define: {{a: {'[' * depth}{']' * depth}}}\n", says=("deep",))
        yield extension(f"mappings nested {depth} deep", f"define: {'{a: ' * depth}1{'}' * depth}\n", says=("deep",))
    yield extension("blocks nested 400 deep", "".join(f"{' ' * n}a:\n" for n in range(400)), says=("deep",))
    yield extension("dashes nested 10,000 deep", f"define:\n  {'- ' * 10_000}x\n", says=("deep",))
    yield extension("lists nested 40 deep", f"define: {{a: {'[' * 40}{']' * 40}}}\n", codes=DONE)


def sizes() -> Iterator[Case]:
    """Much of something."""
    yield extension("200,000 values", f"define: {{a: [{'1,' * 200_000}]}}\n", says=("values",))
    yield extension("2 MB of a comment", f"# {'x' * 2_000_000}\n", says=("bytes",))
    yield extension("1 MB of a name", f"name: {'x' * 1_000_000}\n", says=("name",))
    yield extension("100 kB of a name", f"name: {'x' * 100_000}\n", says=("name",))
    yield extension("100,000 lines of nothing", "\n" * 100_000, codes=DONE)
    yield extension("10,000 keys", "".join(f"k{n}: 1\n" for n in range(10_000)), says=("more",))
    yield extension("5,000 keys in a section", f"trainer: {{{', '.join(f'k{n}: 1' for n in range(5_000))}}}\n")
    for count in (2_000, 40_000):
        yield extension(f"{count} seeds", f"seeds: [{', '.join(map(str, range(count)))}]\n", says=("seeds",))


def grids() -> Iterator[Case]:
    """Grids too large, of wrong types, and over odd keys."""
    for digits in (4, 6, 9, 30):
        grid = "".join(f"  define.k{n}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n" for n in range(digits))
        yield extension(f"a grid of 10^{digits} cells", f"grid:\n{grid}", says=(f"{10**digits:,} cells",))
    seeds = ", ".join(f"[{n}]" for n in range(10_000))
    yield extension("a grid of 10,000 seeds", f"grid: {{seeds: [{seeds}]}}\n", says=("10,000 cells",))
    for value in ("5", "text", "[1]", "true", "{a: 1}", "{a: {}}", "{a: null}", "{a: []}", "{name: [[]]}"):
        yield extension(f"a grid that is {value}", f"grid: {value}\n")
    for key in ("a..b", ".", "..", "seeds.", ".seeds", "seeds[0]", "seeds.0", "combination.task.adapter.", "name.x"):
        yield extension(f"a grid over {key!r}", f"grid: {{'{key}': [1, 2]}}\n")
    dots = "a." * 10_000
    yield extension("a grid over a key of 10,000 dots", f"grid:\n  ? {dots}b\n  : [1, 2]\n", says=("deep",))
    both = "grid: {stages.task: [{}], stages.task.batch_size: [2, 4]}\n"
    yield extension("a grid over one key in two ways", both)
    yield extension("a grid over the grid", "grid: {grid: [1, 2]}\n")


def references() -> Iterator[Case]:
    """References that lead nowhere, into circles, or to more than fits."""
    for name, text in REFERENCES.items():
        yield extension(f"a reference {name}", f'define: {{a: "{text}"}}\n', says=("line 2",))
        yield extension(f"a reference {name}, as data", f'data: {{path: "{text}"}}\n', says=("line 2",))
    texts = "".join(f"  a{n}: '${{define.a{n + 1}}}${{define.a{n + 1}}}'\n" for n in range(30))
    yield extension("bomb of references in texts", f"define:\n{texts}  a30: x\n", says=("characters",))
    trees = "".join(f"  a{n}: {{b: '${{define.a{n + 1}}}', c: '${{define.a{n + 1}}}'}}\n" for n in range(30))
    yield extension("bomb of references in mappings", f"define:\n{trees}  a30: {{x: y}}\n", says=("references",))
    chain = "".join(f"  a{n}: '${{define.a{n + 1}}}'\n" for n in range(3000))
    yield extension("a chain of 3,000 references", f"define:\n{chain}  a3000: x\n", says=("references",))
    text = "define: {a: '${oc.env:MINE}'}\nname: '${oc.env:MINE}'\n"
    yield extension("a reference to a variable", text, environment={"MINE": "x"}, codes=DONE)
    for what, value in {"an escape sequence": "\x1b[31m", "a newline": "a\nb", "no UTF-8": "\udcff"}.items():
        yield extension(f"a variable with {what}", text, environment={"MINE": value})


def secrets() -> Iterator[Case]:
    """References to variables that hold secrets."""
    everywhere = product(SECRET_PLACES.items(), SECRETS[:1])
    for (place, text), name in (*everywhere, *product([("name again", SECRET_PLACES["name"])], SECRETS)):
        yield extension(
            f"{name} in {place}",
            text.format(f"${{oc.env:{name}}}"),
            environment={name: "hunter2"},
            never=("hunter2",),
            says=(name,),
        )
