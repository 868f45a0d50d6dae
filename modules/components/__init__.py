"""The kinds of components. A new kind is its settings, its file here and a line in `registry.py`, or the user's own."""

import lazy_loader

# The names of __init__.pyi, each imported when it is first used: to check an experiment needs no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
