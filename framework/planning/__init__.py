"""Plans an experiment: its stages, their identities, and what a reader must know of its data."""
