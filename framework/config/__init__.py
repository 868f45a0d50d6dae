"""Reads an experiment: a YAML becomes a checked description of what to train and test."""
