"""Lays an experiment's runs side by side in W&B: saved views of its project, and a report.

All of it follows from the plan, so that it can be made before the first run.
"""
