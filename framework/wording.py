"""Words of sentences that several commands say."""


def count(number: int, noun: str) -> str:
    """Says how many there are: `1 run`, `1,200 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(text: str, most: int = 100) -> str:
    """Returns a text of somebody else's as it may stand in a message: one that is too long by its beginning."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def bounded(message: str, lines: int = 50, width: int = 1000) -> str:
    """Returns a message that fits a screen: of long lines the beginning, of many lines the first."""
    given = message.split("\n")
    shown = [shortened(line, width) for line in given[:lines]]
    return "\n".join([*shown, f"… and {len(given) - lines:,} more lines"] if len(given) > lines else shown)
