"""How a generated answer is recorded that could not be parsed."""

UNPARSED = "\N{REPLACEMENT CHARACTER}"
"""Placeholder for output that cannot be parsed: Unicode's replacement character.

It is no label, no BIO tag and no word of an answer, and no punctuation that scoring leaves out: it is always wrong.
"""
