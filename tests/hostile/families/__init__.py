"""The families: one module each, with a function `cases`."""
