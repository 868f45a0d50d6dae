"""Rows as batches: tokenised, padded, and shared by ranks and data workers."""
