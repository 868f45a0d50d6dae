# One OpenMP thread for each process: two processes with two threads each on two cores are about ten times slower.
export OMP_NUM_THREADS = 1
export TOKENIZERS_PARALLELISM = false

PYTHON ?= python3
PYTEST_FLAGS ?= -n auto --dist worksteal
BIN = .venv/bin

.DEFAULT_GOAL = help
.PHONY: help setup quickstart test lint

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Install Modulingua and its tools into .venv, once

quickstart: setup ## Train and test every kind of combination on synthetic languages, offline, in a few minutes
	$(BIN)/modulingua run experiments/quickstart.yaml

test: setup lint ## Check the style and run all tests
	$(BIN)/pytest $(PYTEST_FLAGS)

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

# torch goes first: this version exists as a CPU build, and later steps then have no reason to look for another.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@
