"""Executes a plan: trains components, tests combinations, answers new texts."""
