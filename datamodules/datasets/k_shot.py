"""A few examples per class."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from datamodules.datasets.base import Example


def choose_k_shot(examples: Iterable[Example], k: int, seed: int) -> list[Example]:
    """Chooses k examples of each class in each language.

    An example is chosen by the rank of a hash of (seed, id). So the choice depends neither on the order of
    reading nor on the other languages, and in a parallel dataset each language gets the same sentences.

    Args:
        examples: Labelled ones of one split.
        k: Examples per (language, class); a class that has fewer gives all it has. Examples without a label, such as
            tagged sentences, are one class.
        seed: Another seed chooses other examples.

    Returns:
        The chosen ones in the order in which they came.
    """
    examples = list(examples)
    groups: dict[tuple[str, int | None], list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.language, example.label].append(example)
    chosen = {
        (example.language, example.id)
        for group in groups.values()
        for example in sorted(group, key=lambda example: draw(seed, example.id))[:k]
    }
    return [example for example in examples if (example.language, example.id) in chosen]


def draw(seed: int | str, name: str) -> str:
    """Hashes (seed, name); the smallest hashes are sampled."""
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
