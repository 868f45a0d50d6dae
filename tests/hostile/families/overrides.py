"""`key=value` words of the command line."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.case import DONE, EITHER, Case
from tests.hostile.world import World

WORDS = {
    "nothing": "",
    "no equals": "seeds",
    "no key": "=3",
    "only equals": "=",
    "a dot": ".=1",
    "dots": "...=1",
    "a dot behind": "seeds.=1",
    "a dot before": ".seeds=1",
    "a list's place": "seeds[0]=1",
    "a list's place with a dot": "seeds.0=1",
    "a key below a text": "name.x=1",
    "a key below a list": "seeds.x=1",
    "an unknown key": "sedes=[1]",
    "an unknown section": "a.b.c.d=1",
    "a kind that is a dot": "combination.task={.: {}}",
    "a dataset by dots alone": "data.name=...",
    "a dataset by a dot": "data.name=.",
    "a dataset that is a module": "data.name=os.path",
    "an objective by dots": "stages.language.objective={...: {}}",
    "5000 digits": f"seeds=[{'9' * 5000}]",
    "5000 letters": f"name={'x' * 5000}",
    "100,000 letters": f"name={'x' * 100_000}",
    "a key of 100,000 letters": f"{'x' * 100_000}=1",
    "a key of 10,000 dots": f"{'a.' * 10_000}b=1",
    "deep lists": f"seeds={'[' * 5000}",
    "deep lists that end": f"seeds={'[' * 100}{']' * 100}",
    "a bomb": "define={a: &a [x,x,x,x,x,x,x,x,x], "
    + ", ".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]" for n in range(9))
    + "}",
    "an anchor within itself": "define=&a {b: *a}",
    "a tag": "seeds=!!python/object/apply:os.system [ls]",
    "a date of nowhere": "name=!!timestamp 2026-13-45",
    "a list as a key": "define={[a]: b}",
    "two documents": "name=a\n---\nb",
    "an open bracket": "seeds=[1",
    "nan": "stages.task.training.optimizer.lr=.nan",
    "an escape sequence": "name=\x1b[31m",
    "no UTF-8": "name=\udcff",
    "a key that is no UTF-8": "\udcff=1",
    "a reference to nothing": "name=${nowhere}",
    "a secret": "name=x${oc.env:HF_TOKEN}",
    "the grid, a number": "grid=5",
    "the grid, a text": "grid=x",
    "the grid, a list": "grid=[1]",
    "the grid, mappings of numbers": "grid={1: 2}",
    "the grid's key, a number": "grid.seeds=5",
    "the grid's key, empty": "grid.=[1]",
    "10^6 seeds": "grid.seeds=[[0],[1]]",
    "extends": "extends=[gone.yaml]",
    "everything away": "backbone=null",
}
BESIDE_A_GRID = ("grid=5", "grid=x", "grid=[1]", "grid={1: 2}", "grid=true", "grid={a: {b: c}}")
TWICE = {
    "a section twice": ("trainer=null", "trainer.devices=1"),
    "a text, then below it": ("define=x", "define.a.b=1"),
    "a list, then below it": ("define=[1]", "define.a.b=1"),
    "the grid, then its key": ("grid=5", "grid.seeds=[[0], [1]]"),
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""

    def case(name: str, *words: str, codes: frozenset[int] = EITHER) -> Case:
        return Case(
            name,
            ["plan", "e.yaml", *words],
            {"e.yaml": world.experiment()},
            environment={"HF_TOKEN": "hunter2"},
            never=("hunter2",),
            codes=codes,
        )

    yield case("a good one", "seeds=[1]", codes=DONE)
    for name, word in WORDS.items():
        yield case(name, word)
    for word in BESIDE_A_GRID:
        yield case(f"{word}, and more", word, "stages.task.batch_size=2", "seeds=[1]")
    for name, words in TWICE.items():
        yield case(name, *words)
    yield case("500 good ones", *[f"seeds=[{number}]" for number in range(500)], codes=DONE)
    yield case("500 wrong ones", *[f"x{number}=1" for number in range(500)])
    yield case("500 broken ones", *[f"x{number}=[" for number in range(500)])
