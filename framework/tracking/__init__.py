"""Shows stages in W&B, which is told what our own files say and is never needed.

    config.py   whether and where
    entry.py    what W&B is told of a stage, from the stage's own files
    client.py   tells it, through W&B's client
    tracker.py  tells it while the stage goes on, out of the way of the work
    sync.py     tells it later: `modulingua sync`

The store and the run folders are the truth. A stage's W&B run has the stage's identity as its id, and the row of a
step that step as its number: so whatever is told twice is there once.
"""
