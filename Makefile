# One word for each task; the word does what CI does.
PYTHON ?= python3
VENV ?= .venv

.PHONY: setup run check format test bench ci

setup:
	$(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q -e '.[dev]'

run:
	$(VENV)/bin/faust -A orderapp worker -l info

check:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format:
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test:
	$(VENV)/bin/pytest

# Needs the extra `bench`: the libraries that orderapp is compared with.
bench:
	$(VENV)/bin/python -m tests.benchmarks throughput

ci:
	.ci/run
