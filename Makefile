# One word for each task; the word does what CI does.
PYTHON ?= python3
VENV ?= .venv

.PHONY: setup run check format test docs bench chaos chaos-rules ci

setup:
	$(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q -e '.[dev]'

run:
	$(VENV)/bin/faust -A orderapp worker -l info

check:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

format:
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test:
	$(VENV)/bin/pytest -n 4

# The documentation, at http://localhost:8000/, and again with each change.
docs:
	$(VENV)/bin/zensical serve

# Needs the extra `bench`: the libraries that orderapp is compared with.
bench:
	$(VENV)/bin/python -m tests.benchmarks throughput

# Ten runs of five minutes, with the seeds 1 to 10. `make chaos SEED=7 RUNS=1 STORE=couchbase` is
# one of them.
SEED ?= 1
RUNS ?= 10
STORE ?= sqlite
chaos:
	$(VENV)/bin/python -m tests.chaos --seed $(SEED) --runs $(RUNS) --store $(STORE) \
		--seconds 300 --rate 100 --json chaos.json

# The same number of runs of 200,000 orders, some of them bursts of one customer, with a rule with a
# window: three workers are killed, two are stopped, and rules are changed 20 times.
chaos-rules:
	$(VENV)/bin/python -m tests.chaos --seed $(SEED) --runs $(RUNS) --store $(STORE) \
		--seconds 400 --rate 500 --strikes kill=3,term=2,rules=20 --json chaos-rules.json

ci:
	.ci/run
