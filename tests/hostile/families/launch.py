"""Slurm's commands answering nonsense, and settings that would end up in a job's script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.hostile.case import DONE, EITHER, REFUSED, Case
from tests.hostile.world import World

HEALTHY = {
    "squeue": "",
    "scontrol": "echo 'MaxArraySize = 1001'; echo 'AccountingStorageEnforce = limits'",
    "sbatch": "echo 4711",
    "sacctmgr": "",
    "sacct": "",
    "scancel": "",
}
"""The commands of a cluster with an empty queue, as shell lines."""
ANSWERS = {
    "nothing": "",
    "binary": r"printf '\377\376\000\001\n\200'",
    "a page": "echo '<html><body>Login</body></html>'",
    "pipes": "echo '||||||'; echo '|'; echo 'a|b|c|d|e|f'",
    "huge numbers": "seq -s '' 3000; echo 'MaxArraySize = '$(seq -s '' 3000); yes 9 | head -c 9000 | tr '\\n' '|'",
    "negative numbers": "echo -1; echo 'MaxArraySize = -1'; echo 'DefMemPerCPU = -1'; echo '-1|-1|PENDING|a|b|c'",
    "controls": r"printf '\033[2J\007\r\r\v\000'",
    "without end": "yes 'a line and a line and a line and a line'",
    "without end in one line": "yes x | tr -d '\\n'",
    "never": "sleep 1000",
    "never, in a child": "(sleep 1000) & wait",
    "never, deaf": "trap '' TERM INT HUP; while true; do sleep 1; done",
    "an error": "echo 'slurm: error: Unable to contact slurm controller' >&2; exit 1",
    "a binary error": r"printf '\377\376\000' >&2; exit 1",
    "an error without a word": "exit 3",
    "an endless error": "yes no >&2; exit 1",
    "a signal": "kill -9 $$",
    "a closed output": "exec 1>&- 2>&-; sleep 1000",
}
"""Shell lines that stand in for one command."""
BAD = {
    "squeue": {"binary", "a page", "pipes", "huge numbers", "negative numbers", "controls"},
    "sbatch": {"nothing", "binary", "a page", "pipes", "controls", "negative numbers"},
}
"""Answers of exit code 0 that cannot be read, and without which launch cannot go on."""
OPTIONAL = ("sacctmgr", "sacct", "scancel")
"""Commands that launch can do without, or does not call while all goes well."""
FAILING = [name for name in ANSWERS if name.startswith(("without", "never", "a binary", "an ", "a signal", "a closed"))]

WORDS = {
    "a line break": "a\nb",
    "a line break and a command": "a\ntouch canary",
    "a line break and an option": "a\n#SBATCH --wrap='touch canary'",
    "a carriage return": "a\rtouch canary",
    "quotes": "a'\"b",
    "a substitution": "$(touch canary)`touch canary`",
    "a blank": "a b",
    "a separator": "a;touch canary",
    "a placeholder": "{{command}}",
    "an escape": "a\u001b[2J",
    "letters": "Äあ🙂",
}
"""Values that a script must hold as they are, or not at all."""
RECORD = {
    "store": "store",
    "arrays": {"task": {"kind": "task", "stages": {"0": "0" * 16}, "id": "4711"}},
    "borrowed": {},
}


def cases(world: World) -> Iterator[Case]:
    """Yields the cases of the family."""
    yield from _answers(world)
    yield from _values(world)
    yield from _records(world)


def _answers(world: World) -> Iterator[Case]:
    for command in HEALTHY:
        for name, lines in ANSWERS.items():
            fails = name in FAILING or name in BAD.get(command, ())
            codes = DONE if command in OPTIONAL else (REFUSED if fails else EITHER)
            yield _case(world, f"{command}: {name}", ["launch", "e.yaml"], {command: lines}, codes=codes)
    for command, name in [(command, name) for command in ("squeue", "sacct") for name in ANSWERS]:
        changes = {command: ANSWERS[name]}
        yield _case(world, f"status, {command}: {name}", ["status", "e.yaml"], changes, record=RECORD, codes=DONE)
    ours = {"squeue": 'echo "4711|0|PENDING|None||$PWD/runs/tiny/launch/1/task.sbatch"'}
    for name in ANSWERS:
        codes = REFUSED if name in FAILING else DONE
        changes = ours | {"scancel": ANSWERS[name]}
        yield _case(world, f"cancel, scancel: {name}", ["cancel", "e.yaml"], changes, record=RECORD, codes=codes)
    for name, size in {"no number": "many", "zero": "0", "one": "1", "negative": "-5", "nothing": ""}.items():
        changes = {"scontrol": f"echo 'MaxArraySize = {size}'"}
        codes = REFUSED if size == "0" else DONE
        yield _case(world, f"an array's size: {name}", ["launch", "e.yaml"], changes, codes=codes)
    for command in HEALTHY:
        for name, content in {"no program": b"\x7fELF", "empty": b"", "no interpreter": b"#!/nowhere/bash\n"}.items():
            codes = DONE if command in OPTIONAL else EITHER
            yield _case(world, f"{command} is {name}", ["launch", "e.yaml"], {command: content}, codes=codes)
    greeting = {"sbatch": "echo Welcome; echo; echo '4711;alpha'; echo Bye"}
    yield _case(world, "sbatch greets", ["launch", "e.yaml"], greeting, codes=DONE, says=["4711"])


def _values(world: World) -> Iterator[Case]:
    for key in ("slurm.partition", "slurm.memory", "slurm.time", "slurm.gpus", "slurm.extra", "runs", "store"):
        for name, word in WORDS.items():
            value = [f"--comment={word}"] if key == "slurm.extra" else word
            yield _case(world, f"{key}: {name}", ["launch", "e.yaml"], {}, {key: value}, codes=EITHER)
    for name, word in WORDS.items():
        override = f"tracking.project={json.dumps(word)}"
        yield _case(world, f"an override: {name}", ["launch", "e.yaml", override], {}, codes=EITHER)
    options = ("--array=0-9", "--arr=0-9", "-M other", "--clusters=other", "--exclude=n7 --job-name=bash", "", "-", "'")
    for option in options:
        yield _case(world, f"extra: {option!r}", ["launch", "e.yaml"], {}, {"slurm.extra": [option]})


def _records(world: World) -> Iterator[Case]:
    array = RECORD["arrays"]["task"]  # type: ignore[index]
    records: dict[str, object] = {
        "a list": [],
        "empty": {},
        "arrays of numbers": RECORD | {"arrays": 3},
        "a stage without a number": RECORD | {"arrays": {"task": array | {"stages": {"x": "0"}}}},
        "a huge number": RECORD | {"arrays": {"task": array | {"stages": {"9" * 5000: "0"}}}},
        "an unknown key": RECORD | {"more": 1},
    }
    for name, record in records.items():
        yield _case(world, f"a record: {name}", ["status", "e.yaml"], {}, record=record, says=["launch.json"])
    yield _case(
        world,
        "an outcome that is binary",
        ["status", "e.yaml"],
        {},
        record=RECORD,
        files={"runs/tiny/launch/1/ends/task-0": b"\xff\xfe", "runs/tiny/launch/1/logs/task-0.log": b"\xff\x00"},
        codes=DONE,
    )
    elsewhere = {"squeue": 'echo "1|7|RUNNING|None||$PWD/runs/tiny/launch/1/other.sbatch"'}
    yield _case(world, "an unknown script in the queue", ["launch", "e.yaml"], elsewhere, record=RECORD, codes=DONE)


def _case(
    world: World,
    name: str,
    words: list[str],
    commands: Mapping[str, str | bytes],
    changes: Mapping[str, object] | None = None,
    *,
    record: object = None,
    files: Mapping[str, str | bytes] | None = None,
    codes: frozenset[int] = REFUSED,
    says: list[str] | None = None,
) -> Case:
    small = {"combination.language": {}, **(changes or {})}
    written: dict[str, str | bytes] = {"e.yaml": world.experiment(small), **(files or {})}
    if record is not None:
        written["runs/tiny/launch/1/launch.json"] = json.dumps(record)
    for command, lines in (HEALTHY | dict(commands)).items():
        written[f"bin/{command}"] = lines if isinstance(lines, bytes) else f"#!/bin/bash\n{lines}\n"
    return Case(
        name,
        words,
        written,
        setup=_impatient,
        environment={"PATH": "bin:/usr/bin:/bin"},
        codes=codes,
        says=says or (),
        writes=True,
    )


def _impatient(folder: Path) -> None:
    """Makes the commands programs, and their time half a second instead of half a minute."""
    from framework.slurm import slurm_command

    for program in (folder / "bin").iterdir():
        program.chmod(0o755)
    slurm_command.SECONDS = 0.5
