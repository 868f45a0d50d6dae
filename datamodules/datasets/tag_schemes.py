"""The schemes in which tags mark spans: BIO, which labels are in, and those that are converted to it."""

from collections.abc import Sequence

from datamodules.errors import DataError

OUTSIDE = "O"

_BIO = ("B", "I")
_BEGINS = {"B", "S", "U", "W"}
"""Letters of a span's first word: B of several words; S, U or W of one (IOBES, BILOU, BMEWO)."""
_ENDS = {"E", "L", "S", "U", "W"}
"""Letters of a span's last word."""
_LETTERS = {*_BEGINS, *_ENDS, "I", "M"}


def type_of(tag: str) -> str:
    """Returns the type of a tag such as `B-PER`."""
    return tag[2:]


def to_bio(tags: Sequence[str]) -> list[str]:
    """Converts the tags of a sentence's words to BIO: `O`, or a letter of a scheme and the type, such as `S-PER`.

    A span begins at a tag that begins one, after the end of another span, and where the type changes.
    """
    converted = []
    before = OUTSIDE
    for tag in tags:
        goes_on = type_of(tag) == type_of(before) and before[0] not in _ENDS and tag[0] not in _BEGINS
        letter = "I" if goes_on else "B"
        converted.append(tag if tag == OUTSIDE else f"{letter}-{type_of(tag)}")
        before = tag
    return converted


def refuse_other_schemes(name: str, labels: Sequence[str], published: Sequence[str] = ()) -> None:
    """Checks the tags of a dataset.

    Args:
        name: The dataset's, for messages.
        labels: What words are tagged with; must be BIO, in which B- may be missing (IO, IOB1).
        published: What the files hold, where these are other tags.

    Raises:
        DataError: If a tag is in no known scheme, or the labels lack one that published tags become.
    """
    if OUTSIDE not in labels:
        raise DataError(f"{name}: the labels lack {OUTSIDE!r}, the tag of words that are in no span")
    for tag in labels:
        if not _is_tag(tag, _BIO):
            way_out = "name it in published_tags and name BIO's tags in labels: then it is converted"
            if not _is_tag(tag, _LETTERS):
                way_out = f"write {OUTSIDE}, B-<type> and I-<type>; a type without a letter is I-<type>"
            raise DataError(f"{name}: the label {tag!r} is not one of the BIO scheme; {way_out}")
    for tag in published:
        if not _is_tag(tag, _LETTERS):
            letters = ", ".join(sorted(_LETTERS))
            raise DataError(f"{name}: the published tag {tag!r} is neither {OUTSIDE} nor <letter>-<type> ({letters})")
        wanted = {OUTSIDE} if tag == OUTSIDE else {f"B-{type_of(tag)}", f"I-{type_of(tag)}"}
        if missing := sorted(wanted - set(labels)):
            raise DataError(f"{name}: the published tag {tag!r} may become {missing[0]!r}, which the labels lack")


def _is_tag(tag: str, letters: Sequence[str] | set[str]) -> bool:
    """Whether a tag is O, or one of some letters with a type."""
    return tag == OUTSIDE or (tag[:1] in letters and tag[1:2] == "-" and bool(type_of(tag)) and tag.split() == [tag])
