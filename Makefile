# Two commands do everything on a fresh Debian or Ubuntu: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: all setup native test
all: setup

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

setup: $(VENV)/.ready

$(VENV)/.ready: $(BIN)/python pyproject.toml
	$(BIN)/pip install -q --upgrade "pip>=25.1"
	$(BIN)/pip install -q "scikit-build-core>=0.10" "nanobind>=2.2" cmake ninja
	$(BIN)/pip install -q --no-build-isolation -e .
	$(BIN)/pip install -q --group dev
	touch $@

# Rebuild the native modules after a change of C++ and put them where the editable install looks for them.
native: setup
	$(BIN)/pip install -q --no-build-isolation --no-deps -e .

test: setup
	$(BIN)/python -m pytest
