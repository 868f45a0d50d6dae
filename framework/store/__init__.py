"""The store of trained components: what stands in it, and what can be done with it."""
