"""Explains an experiment before it runs: settings, combinations, optimisers, examples, jobs."""
