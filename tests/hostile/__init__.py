"""A corpus of broken and hostile inputs, and what carries each of them out in a process of its own.

    make hostile                                            # all families
    .venv/bin/python -m tests.hostile yaml -k bomb --show   # some cases of one family, with what they print

A *family* is a module in `families/` with one function:

    def cases(world: World) -> Iterator[Case]:
        text = world.experiment({"seeds": "banana"})
        yield Case("seeds are a word", ["plan", "e.yaml"], {"e.yaml": text}, says=("seeds",))

A `Case` (see `case.py`) is a command and the files that it finds in its working folder. `World` (see `world.py`) holds
what all cases share and none may change: a tiny encoder, labelled and plain texts, and a folder in which the tiny
experiment was run. The package imports the program once; each case is a fork of that process, which costs milliseconds.
`sandbox.py` carries a case out and `verdict.py` says what is wrong with what came of it:

- The command ends within `LIMIT` seconds and within `MEMORY` more bytes than the imports take.
- It ends with one of the case's exit codes, which is 2 unless the case says otherwise.
- It prints no traceback and no line of a library's log, and the message is at most 60 lines and 20,000 bytes long.
- With exit code 2 it leaves the working folder as it was.
- Nothing is written elsewhere, no temporary file and no process is left.
- It says each text of `says`; no text of `never` is printed or written.

The generator of a family runs before the forks, in the process that all cases come from. It therefore only builds text:
whatever needs a library (weights, parquet, servers) belongs in the case's `setup`, which runs in the fork.
"""
