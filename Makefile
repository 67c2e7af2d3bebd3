# Every target sets up what it needs: as root also Debian packages, otherwise it says
# what is missing and does what can be done.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: shell-files help demo test test-loop test-loads check lint types bench pictures mutants fuzz build clean setup system

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: setup  ## the whole story on this machine (root for disks; half a minute, the first time 2 min)
	$(BIN)/s3export sandbox demo

test: setup  ## all tests (root, loop devices and user-mode Linux for some; about 25 min on two processors)
	tools/run-tests $(BIN)/python

test-loop: setup  ## the disk tests alone (root and loop devices; 8 min)
	$(BIN)/python -m pytest tests/loop

test-loads: setup  ## loads of large hostile buckets, killed and cut off often (root; 1 h; not in CI)
	TESTS_LONG=1 $(BIN)/python -m pytest -s tests/loop/test_hostile_loads.py tests/uml/test_faulty_loads.py

check: lint types  ## everything but the tests (20 s)

lint: setup  ## style, imports between layers (5 s)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup  ## mypy --strict (15 s)
	$(BIN)/mypy

bench: setup  ## all that is fast against its peers (find, boto3, rclone, aws, s5cmd, cryptsetup): ratios in one run (root; 1 h)
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(CASES)

mutants: setup  ## change what a verdict rests on; does a test notice? (20 min; not in CI)
	$(BIN)/python -m pip install -q --group mutants
	tools/mutate $(CURDIR)/$(BIN)/python $(MODULES)

fuzz: setup  ## mutated bytes for every reader of what others made (10 min; not in CI)
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(or $(SECONDS),600)

pictures: setup  ## the pictures in docs/, of report and terminal (1 min; root, chromium, poppler-utils)
	$(BIN)/python tools/screenshots

shell-files: setup  ## make the man page and the completions again from the grammar (2 s)
	PYTHONPATH=tests $(BIN)/python -m shell_files

build: setup  ## wheel and source archive in dist/ (10 s)
	$(BIN)/python -m build

clean:  ## remove what the targets made, the virtual environment included
	rm -rf $(VENV) .peers build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

setup: $(STAMP) system

$(STAMP): pyproject.toml tools/setup-venv
	tools/setup-venv $(PYTHON) $(VENV)
	@touch $@

system:
	@tools/setup-system
