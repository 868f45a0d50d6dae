"""Replaces `${key}` and `${oc.env:NAME}` in an experiment by the value of the key or of the environment variable.

The two forms are OmegaConf's. OmegaConf itself resolves each reference anew wherever it stands, so that thirty short
lines can come to gigabytes; here, a text is resolved once, and what references add is bounded.
"""

import os
import re
from typing import Any

from framework.errors import did_you_mean
from framework.system.yaml_documents import Key
from framework.wording import shortened

LETTERS = 2**20
"""Most characters of the texts that references make."""
COPIES = 50_000
"""Most values that references copy."""
DEPTH = 200
"""Most mappings and lists that a reference leads through."""
CHAIN = 50
"""Most references of which each leads to the next."""

REFERENCE = re.compile(r"\$\{([^${}]*)\}")
VARIABLE = re.compile(r"oc\.env:(\w+)(?:,(.*))?", re.DOTALL)
PATH = re.compile(r"[^.:\[\]\s]+(?:\.[^.:\[\]\s]+|\[\d+\])*")

SECRET = re.compile(
    "key|token|secret|passw|credential|(?<![a-z0-9])(?:pass|passphrase|pat|auth)(?![a-z0-9])", re.IGNORECASE
)
"""Names of variables that are not read: what an experiment holds is saved with its runs, printed and sent to W&B."""


class _NoValue(Exception):
    """A reference has no value."""


def interpolate(data: dict[str, Any]) -> tuple[dict[str, Any], dict[Key, str]]:
    """Replaces all references.

    Args:
        data: Plain data.

    Returns:
        A copy of the data with the values; and, by key, why a text's reference has no value. The copy holds the text.
    """
    references = _References(data)
    return references.filled(data, ()), references.unresolved


class _References:
    """The references of one experiment."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.unresolved: dict[Key, str] = {}
        self.texts: dict[Key, str] = {}
        """Texts that hold references among other letters, as they were resolved."""
        self.pending: list[Key] = []
        """The texts that are being resolved; each refers to the next."""
        self.depth = 0
        self.copies = 0
        self.letters = 0

    def filled(self, node: Any, key: Key) -> Any:
        """Returns a copy of the value at a key with the references in it replaced, noting those without a value."""
        self.depth += 1
        self.copies += bool(self.pending)
        try:
            if self.pending and (self.depth > DEPTH or self.copies > COPIES):
                raise _NoValue(f"references copy more than {COPIES:,} values, or values nested more than {DEPTH} deep")
            if isinstance(node, dict):
                return {name: self.filled(value, (*key, name)) for name, value in node.items()}
            if isinstance(node, list):
                return [self.filled(value, (*key, number)) for number, value in enumerate(node)]
            return self._noted(node, key) if _has_reference(node) else node
        finally:
            self.depth -= 1

    def _noted(self, text: str, key: Key) -> Any:
        try:
            return self._resolved(text, key)
        except _NoValue as reason:
            self.unresolved[key] = str(reason)
            return text

    def _resolved(self, text: str, key: Key) -> Any:
        """Returns what a text with references comes to: the value itself where it is one reference and nothing else."""
        if key in self.pending:
            raise _NoValue("refers to itself")
        if len(self.pending) == CHAIN:
            raise _NoValue(f"leads through more than {CHAIN} other references")
        if text.count("${") > len(REFERENCE.findall(text)):
            raise _NoValue(f"{shortened(text)!r} cannot be read: write ${{key}} or ${{oc.env:NAME}}")
        self.pending.append(key)
        try:
            if whole := REFERENCE.fullmatch(text):
                return self._value(whole[1].strip())
            if key not in self.texts:
                self.texts[key] = self._joined(text)
            return self.texts[key]
        finally:
            self.pending.pop()

    def _joined(self, text: str) -> str:
        *parts, last = REFERENCE.split(text)
        pieces = []
        for before, reference in zip(parts[::2], parts[1::2], strict=True):
            value = self._value(reference.strip())
            if isinstance(value, dict | list):
                raise _NoValue(f"{shortened(reference)!r} is a list or a mapping and cannot be part of a text")
            pieces += [before, str(value)]
        joined = [*pieces, last]
        self.letters += sum(map(len, joined))
        if self.letters > LETTERS:
            raise _NoValue(f"the texts that references make hold more than {LETTERS:,} characters")
        return "".join(joined)

    def _value(self, reference: str) -> Any:
        if variable := VARIABLE.fullmatch(reference):
            return _environment(variable[1], variable[2])
        if not PATH.fullmatch(reference):
            raise _NoValue(f"{shortened(reference)!r} is neither a key nor oc.env:NAME")
        node: Any = self.data
        key: Key = ()
        for part in re.findall(r"[^.\[\]]+", reference):
            if _has_reference(node):
                node = self._resolved(node, key)
            known = node if isinstance(node, dict) else dict(enumerate(node)) if isinstance(node, list) else {}
            step = int(part) if isinstance(node, list) and part.isdecimal() and len(part) < 9 else part
            if step not in known:
                near = did_you_mean(part, [name for name in known if isinstance(name, str)])
                raise _NoValue(f"{shortened(reference)!r} not found{near}")
            node, key = known[step], (*key, step)
        return self._resolved(node, key) if _has_reference(node) else self.filled(node, key)


def _has_reference(node: Any) -> bool:
    return isinstance(node, str) and "${" in node


def _environment(name: str, default: str | None) -> str:
    if SECRET.search(name):
        raise _NoValue(
            f"the variable {name} may hold a secret, and what an experiment holds is saved with its runs; "
            "programs find the variable themselves"
        )
    value = os.environ.get(name, default)
    if value is None:
        raise _NoValue(f"there is no environment variable {name}")
    if not value.isprintable():
        raise _NoValue(f"the environment variable {name} holds characters that cannot be printed")
    return value
