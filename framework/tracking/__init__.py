"""Shows stages in W&B, which mirrors our own files and is never required.

    entry.py    what W&B is sent of a stage, from the stage's own files
    client.py   sends it, through W&B's client, and records what was sent
    tracker.py  sends it while the stage runs, from a background thread
    sync.py     sends it later: `modulingua sync`
    names.py    groups and names of W&B runs
    dashboard/  views and reports: `modulingua dashboard`

The store and the run folders are the truth. A stage's W&B run has the stage's identity as its id, and the row of a
step that step as its number: so whatever is sent twice is there once.
"""
