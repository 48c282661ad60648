# `make help` lists what there is. Needs Python 3.11 to 3.13 and a network, nothing else.
.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
PY := $(VENV)/bin/python
PINS := .ci/constraints.txt
LOG := $(VENV)/install.log
QUIET := --disable-pip-version-check --timeout 20
# Named after what it was made of: a newer time stamp alone installs nothing again.
READY := $(VENV)/.ready-$(shell cat pyproject.toml $(PINS) | cksum | cut -d' ' -f1)

.PHONY: help setup run test lint card pins clean

help: ## list the targets
	@awk -F': .*## ' '/^[a-z]+:.*## /{printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create the environment in .venv (once)

$(READY):
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found; set PYTHON=..." >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): a minute or more, about 7 GB (torch comes with its CUDA libraries)"
	@$(PY) -m pip install $(QUIET) --retries 0 uv >$(LOG) 2>&1 && { \
		$(VENV)/bin/uv pip install --python $(PY) -c $(PINS) -e '.[dev]' >>$(LOG) 2>&1 \
		|| $(PY) -m pip install $(QUIET) --retries 1 -c $(PINS) -e '.[dev]' >>$(LOG) 2>&1; } \
		|| { echo "error: the packages could not be fetched; is there a network? more in $(LOG)" >&2; exit 1; }
	@rm -f $(VENV)/.ready-*
	@touch $@

run: setup ## train Baseline, SET1, SET2 and SET2 on crossbars on Fashion-MNIST, show the result
	$(PY) -m experiments.train sweep=paper resume=true
	$(PY) -m experiments.report

test: setup ## run the tests
	OMP_NUM_THREADS=1 $(PY) -m pytest

lint: setup ## check style, types and formatting
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

card: setup ## make the reconstructed device card again
	$(PY) -m experiments.reconstruct_card

pins: setup ## renew the tested set of versions in .ci/constraints.txt
	$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header \
		--no-annotate --extra dev -o $(PINS) pyproject.toml

clean: ## remove the environment (results in runs/ stay)
	rm -rf $(VENV)
