# A new user needs two of these: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Some processes share the tests, file by file: what a file's tests have in common is made once.
PYTEST := $(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo serve test fast check setup model benchmarks page clean

demo: model                 ## teach a small real model thirty facts, ask it, take one back
	$(BIN)/memoir demo

serve: model                ## serve the default model with the edits of ./memoir-store
	$(BIN)/memoir serve

test: model check           ## lint, types, all tests
	$(PYTEST)

fast: setup check           ## the same without the real model and without breaking things
	$(PYTEST) -m "not slow"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

setup: .venv/.installed

model: setup                ## fetch and prepare the default model, once
	$(BIN)/memoir fetch-model

# pip itself comes from the machine, so that its own index settings apply.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

benchmarks: model           ## measure everything in docs/benchmarks.md again (hours; can be resumed)
	$(BIN)/python benchmarks/pairs.py
	for plan in benchmarks/*.toml; do \
		$(BIN)/memoir bench run $$plan --results benchmarks/results || exit 1; done
	$(BIN)/python benchmarks/methods_cost.py
	$(BIN)/python benchmarks/routing.py
	$(BIN)/python benchmarks/conflicts.py
	$(BIN)/python benchmarks/history.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/size.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/tables.py

page:                       ## build the page of `memoir serve` from page/ (needs node and npm)
	cd page && npm ci && npm run build

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
