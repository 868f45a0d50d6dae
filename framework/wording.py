"""Words of sentences that several commands say."""


def count(number: int, noun: str) -> str:
    """Says how many there are: `1 run`, `1,200 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
