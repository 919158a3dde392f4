# Two commands for a fresh clone: `make run` and `make test`. Both need only Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SCENARIO ?= scenarios/quickstart.yaml
WORKERS ?= auto

.PHONY: run test install install-dev lint types layers unit golden figures notebooks docs clean

run: install ## install, run the quickstart, say where its report is
	$(BIN)/l2sim run $(SCENARIO) --force

test: install-dev lint types layers unit ## everything that must hold before a change lands

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("l2sim needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(VENV)/.installed $@

lint: install-dev ## style, and the one format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev ## mypy, strict, on the package
	$(BIN)/mypy

layers: install-dev ## imports run one way
	$(BIN)/lint-imports

unit: install-dev ## every test
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

golden: install-dev ## recompute the golden runs; say why in the commit
	$(BIN)/python -m tests.golden.refresh

figures: install ## the README's figure, made by the quickstart
	$(BIN)/python docs/make_figure.py

notebooks: install-dev ## run the notebooks and write their outputs beside them
	$(BIN)/python docs/run_notebooks.py

docs: install-dev ## build the documentation into build/docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

clean:
	rm -rf $(VENV) runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
