# Every target sets up what it needs: a machine with Python 3.11 and pip is enough (uv is used where it exists).
#   make demo               synthetic data, a backtest, sessions at a simulated venue, reports
#   make test               the everyday tests   ARGS="tests/unit -k bars" narrows them
#   make test-all           all tests, the long ones too
#   make check              format, lint, types, import floors
#   make bench              speed and memory, against peers installed into .bench/     ONLY=event: one group
#   make soak               market data with everything going wrong, half an hour   MINUTES=2: shorter
#   make docs               the documentation, into site/
#   make lock               uv.lock and requirements/ again, after a change of dependencies (needs uv)
# Another interpreter: make PYTHON=python3.12 test (it gets an environment of its own).

SHELL := /bin/sh
PYTHON ?=
ARGS ?=
ONLY ?=
ROUNDS ?= 5
MINUTES ?= 30
# Many tests wait for processes and sockets: two workers for each processor.
JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) \* 2)
WORKERS = -n $(JOBS) --dist worksteal
# Without bytecode every process would compile all of Lanner when it starts, and tests start hundreds of them.
unexport PYTHONDONTWRITEBYTECODE

ifeq ($(strip $(PYTHON)),)
VENV ?= .venv
else
VENV ?= .venv-$(notdir $(PYTHON))
endif

BIN := $(VENV)/bin
SETUP := scripts/setup $(VENV)
LOCKED := pyproject.toml scripts/setup

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all warm check format bench soak docs lock clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

$(VENV)/.stamp-runtime: requirements/runtime.txt $(LOCKED)
	@echo "Setting up $(VENV) ..."
	@$(SETUP) runtime "$(PYTHON)"
	@touch $@

$(VENV)/.stamp-dev: requirements/dev.txt $(VENV)/.stamp-runtime
	@echo "Installing the development tools into $(VENV) ..."
	@$(SETUP) dev "$(PYTHON)"
	@touch $@

$(VENV)/.stamp-docs: requirements/docs.txt $(VENV)/.stamp-runtime
	@echo "Installing the documentation tools into $(VENV) ..."
	@$(SETUP) docs "$(PYTHON)"
	@touch $@

setup: $(VENV)/.stamp-dev

demo: $(VENV)/.stamp-runtime
	@$(BIN)/lanner demo

test: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

test-all: $(VENV)/.stamp-dev
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-nightly} \
		$(BIN)/python -m pytest $(WORKERS) -m "nightly or not nightly" $(ARGS)

# Compiled kernels and the bytecode of the tests are kept beside their sources, once for each version of them.
warm: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest -q -p no:cacheprovider -k "kernels or docs_blocks"

check: $(VENV)/.stamp-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.stamp-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.stamp-runtime
	$(BIN)/python -m benchmarks.run $(if $(ONLY),--only $(ONLY)) --rounds $(ROUNDS)

soak: $(VENV)/.stamp-runtime
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

docs: $(VENV)/.stamp-docs
	$(BIN)/zensical build --clean --strict

lock:
	uv lock
	scripts/export-requirements

clean:
	rm -rf .venv .venv-* .bench site build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
