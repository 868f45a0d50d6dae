"""The conductor: reads an experiment, plans it, runs it, remembers and shows the results."""
