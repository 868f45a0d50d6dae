"""Batches of labelled examples, for training and testing a task."""
