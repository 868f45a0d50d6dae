"""Configuration, planning, execution, storage and reporting of experiments."""
