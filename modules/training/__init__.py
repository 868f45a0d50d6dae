"""Stages of training: what a combination learns from a batch, with its loss, head and optimiser."""

import lazy_loader

# The names of __init__.pyi, each imported when it is first used: they need Lightning, and to plan needs none.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
