"""The machine: files, locks, signals, processes, the network and the console."""
