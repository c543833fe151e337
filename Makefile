# Everything is installed into .venv/ from requirements.lock: pinned, and checked by hash.
# A bare python3 (3.11 or newer), make and a package index are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup study notebooks test slow peer bench docs lint format lock clean

setup: .venv/.ready

study: setup
	$(BIN)/hotland run configs/shenyang.yaml

# Again, with their answers kept.
notebooks: study
	$(BIN)/python notebooks/execute.py

# Files are shared out to two processes: most tests keep one core busy.
test: lint
	$(BIN)/pytest -n 2 --dist loadfile

# In the order of their names: the longest file, of what is killed, comes first.
slow: setup
	$(BIN)/pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder

# The matrices are small: threads of BLAS would wait for each other longer than they reckon.
test slow: export OPENBLAS_NUM_THREADS := 1

# Against other codes, which are large and installed for this alone.
peer: .venv/.peer
	$(BIN)/pytest -m peer

bench: .venv/.peer
	$(BIN)/python benchmarks/bench.py --markdown docs/benchmarks.md

# The site, in docs/_build; a warning is an error.
docs: setup
	$(BIN)/sphinx-build --quiet -W --keep-going -b html docs docs/_build

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Where python3 comes without ensurepip, its own pip fills the environment from outside.
.venv/bin/python:
	$(PYTHON) -m venv .venv || $(PYTHON) -m venv --clear --without-pip .venv

.venv/.ready: requirements.lock pyproject.toml .venv/bin/python
	@echo "installing into .venv/ (about a minute, the first time)"
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then pip="$(BIN)/python -m pip"; \
	else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	$$pip install --quiet --require-hashes -r requirements.lock && \
	$$pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.peer: requirements-peer.lock .venv/.ready
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then pip="$(BIN)/python -m pip"; \
	else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	$$pip install --quiet --require-hashes -r requirements-peer.lock
	@touch $@

# Newest versions that fit, for Python 3.11 and newer in one file that names no host.
lock: setup
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --upgrade --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --group peer --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --upgrade --quiet -c requirements.lock -o requirements-peer.lock

clean:
	rm -rf .venv docs/_build .mypy_cache .pytest_cache .ruff_cache
