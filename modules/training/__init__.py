"""The training stages: losses, heads, optimisers."""
