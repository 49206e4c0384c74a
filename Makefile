# The README's two commands are `make demo` and `make test`. Both make .venv first; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow check docs dist clean

demo: .venv/installed
	$(BIN)/resight demo

test: check
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

slow: .venv/scale
	$(BIN)/python -m pytest -m slow -o timeout=7200 -o faulthandler_timeout=7500

# Ray is large, and only slow tests need it.
.venv/scale: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[scale]'
	touch $@

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Puts the figures of results/*.json into the pages, then builds the site, without the network, into build/site.
docs: .venv/installed
	$(BIN)/python tools/figures
	$(BIN)/mkdocs build --strict --quiet

# Builds the wheel and the source distribution, and tries the wheel in an empty environment, without PyTorch.
dist: .venv/installed
	rm -rf dist build/wheel
	$(BIN)/python -m build --installer=pip
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt dist/*.whl
	build/wheel/bin/python tools/try_wheel.py

clean:
	rm -rf .venv build demo dist .mypy_cache .pytest_cache .ruff_cache

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,export,openvino,cameras,postgres,serve,dev,docs]'
	touch $@
