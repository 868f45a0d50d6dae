"""Batches of text without labels, for training components of languages."""
