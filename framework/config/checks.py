"""Refuses what cannot work before anything is trained: each check looks at one thing across an experiment's sections.

A section with mistakes of its own is absent from the draft, and the checks that need it wait until it is mended.
"""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from framework.config.check_answer import check_answer, check_demonstrations, check_lengths, check_metrics
from framework.config.check_data import (
    check_data,
    check_language_codes,
    check_languages_of_data,
    check_leaks,
    check_shared_splits,
)
from framework.config.check_reused import check_reused
from framework.config.check_slurm import check_slurm
from framework.config.check_training import (
    check_backbone,
    check_components,
    check_devices,
    check_optimizers,
    check_pretraining,
    check_sharding,
    check_stages,
    check_text,
    check_training,
    check_vocabulary,
)
from framework.config.draft import AbsentError, Draft
from framework.system.yaml_documents import Key
from framework.validation import Problem
from framework.wording import shortened

MOST = 50
"""How many mistakes of one kind are looked for; each may take a search for what was meant."""

LONGEST_NAME = 100
"""Bytes of an experiment's name; file systems know 255, and other names are made of this one."""


def check(sections: dict[str, Any], *, here: bool) -> list[Problem]:
    """Returns what is wrong with the sections of an experiment taken together; a reason that several keys share once.

    Args:
        sections: The sections that have no mistakes of their own.
        here: Whether the experiment is to be carried out on this machine.
    """
    draft = Draft(sections)
    keys: dict[str, Key] = {}
    for find in CHECKS + ([check_devices] if here else []):
        problems = find(draft)
        with contextlib.suppress(AbsentError):
            for key, reason in itertools.islice(problems, MOST):
                keys.setdefault(reason, key)
            for key, _ in itertools.islice(problems, 1):
                keys.setdefault(f"{MOST} mistakes are listed, and there are more of their kind", key[:1])
    return [(key, reason) for reason, key in keys.items()]


def check_name(draft: Draft) -> Iterator[Problem]:
    """The name can be that of a folder."""
    name = draft.name
    if not re.fullmatch(r"[^\W_][\w.+=-]*", name):
        rule = "begin with a letter or digit, then also . _ + = -"
        yield ("name",), f"{shortened(name)!r} names the folder of the runs: {rule}"
    elif len(name.encode()) > LONGEST_NAME:
        yield ("name",), f"{len(name.encode())} bytes are too many for the folder of the runs: at most {LONGEST_NAME}"


CHECKS: list[Callable[[Draft], Iterator[Problem]]] = [
    check_name,
    check_backbone,
    check_data,
    check_language_codes,
    check_languages_of_data,
    check_leaks,
    check_shared_splits,
    check_components,
    check_stages,
    check_text,
    check_answer,
    check_demonstrations,
    check_reused,
    check_optimizers,
    check_metrics,
    check_pretraining,
    check_vocabulary,
    check_lengths,
    check_training,
    check_sharding,
    check_slurm,
]
"""All but the check of this machine's devices."""
