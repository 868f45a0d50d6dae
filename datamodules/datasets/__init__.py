"""The datasets, one file each, and what they have in common."""
