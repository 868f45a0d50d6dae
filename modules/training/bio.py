"""The spans that tags of words mark, in the BIO scheme (Ramshaw and Marcus, 1995; B- at each span's first word)."""

from collections.abc import Sequence

OUTSIDE = "O"
"""The tag of a word that is in no span."""


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Returns the spans of a sentence, as CoNLL's `conlleval` reads them (Tjong Kim Sang and De Meulder, 2003).

    A span goes on with I- of its own type. An I- after anything else begins one, as a B- does, so that every sequence
    of tags has a reading: a model may answer with any.

    Args:
        tags: One for each word: `O`, `B-<type>` or `I-<type>`.

    Returns:
        For each span its type, its first word, and one past its last.
    """
    found = set()
    first, inside = 0, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        kind, _, type_ = tag.partition("-")
        if kind == "I" and type_ == inside:
            continue
        if inside:
            found.add((inside, first, place))
        first, inside = place, type_
    return found
