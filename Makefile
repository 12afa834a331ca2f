# Everything sets itself up in .venv; a second run is quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SETUP := pyproject.toml constraints.txt
# Programs that run once or twice are not worth JAX's optimisation: it took an eighth of the time of the tests.
TEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 XLA_FLAGS=--xla_backend_optimization_level=0 $(BIN)/python -m pytest
# Every shape in a signature is held against the arrays that come and go. A whole check, which calls a forward pass
# thousands of times, takes four times as long so: make check-all does it, make test where the derivations are tested.
SHAPES := --jaxtyping-packages=gradparity,gradparity_manual,gradparity_jax,gradparity_torch,gradparity_autograd,gradparity_gradbench,beartype.beartype
DERIVATIONS := tests/conformance tests/gradparity/models $(patsubst %,tests/gradparity_%,manual jax torch autograd gradbench)

.PHONY: demo test bench lessons docs fuzz faults matrix dagre lint types check-all clean

demo: $(VENV)/all.stamp  ## check, train and time the three default backends on handwritten digits
	$(BIN)/gradparity compare

test: $(VENV)/test.stamp  ## assert everything that is not a speed
	$(TEST) -n auto --dist loadgroup $(SHAPES) $(DERIVATIONS)
	$(TEST) -n auto --dist loadgroup $(addprefix --ignore=,$(DERIVATIONS))

bench: $(VENV)/test.stamp  ## time the training step of every model and backend
	$(BIN)/python -m pytest bench --benchmark-columns=median,iqr,rounds --benchmark-sort=mean

lessons: $(VENV)/lessons.stamp  ## run every lesson and write it as one HTML page to build/lessons
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python lessons/export.py

fuzz: $(VENV)/test.stamp  ## send a million changed files of our own formats to their readers
	$(BIN)/python -m tests.fuzz

faults: $(VENV)/test.stamp  ## write docs/faults.md, what can go wrong, counted from the tests behind it
	$(BIN)/python -m tests.faults

matrix: $(VENV)/test.stamp  ## install the wheel on every Python that is here, alone and with each library, and write docs/versions.md
	$(BIN)/python -m tests.matrix

dagre:  ## bundle the library that lays graphs out (needs npm)
	npm install --prefix build/dagre --no-save --no-audit --no-fund @dagrejs/dagre@3.1.3 esbuild@0.28.2
	cd build/dagre && echo 'export { Graph, layout } from "@dagrejs/dagre"' | node_modules/.bin/esbuild --bundle --minify --format=iife \
		--global-name=dagre --banner:js="/*! @dagrejs/dagre 3.1.3. $$(cat node_modules/@dagrejs/dagre/LICENSE) */" \
		--legal-comments=none --outfile=$(CURDIR)/src/gradparity/explain/stepping/dagre.min.js

docs: $(VENV)/docs.stamp  ## build the site to build/docs; a warning or a dead link is an error
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m sphinx --fail-on-warning --keep-going -q -d build/doctrees docs build/docs

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp
	$(BIN)/mypy

check-all: test lint types  ## what a release must pass; the last line wants a quiet machine
	$(TEST) -m slow
	$(TEST) $(SHAPES) --ignore=tests/gradparity/test_switches.py
	$(BIN)/gradparity check softmax_regression --draws 5000 --jobs -1 --backends numpy,jax,torch,jax-manual,torch-manual
	$(BIN)/gradparity check mlp --draws 5000 --jobs -1 --backends numpy,jax,torch,jax-manual,torch-manual
	$(BIN)/python -m gradparity_bench.harness

clean:  ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks build *.egg-info src/*.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gradparity needs Python 3.11 or newer, this is %s.%s: run  make PYTHON=/path/to/python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.stamp: $(SETUP) | $(BIN)/python
	$(PIP) --editable '.[$*]'
	@touch $@
