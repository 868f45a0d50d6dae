"""Says in full what an experiment is before it runs: settings, combinations, examples, optimisers, jobs."""
