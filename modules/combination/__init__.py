"""A backbone with components, and the ways to run it: encode, generate, score."""
