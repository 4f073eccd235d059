PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-slow check format bench screenshots clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## Install everything (system libraries for Qt, virtual environment, pinned packages)

$(STAMP): requirements.lock pyproject.toml .ci/system-packages
	@sh .ci/system-packages --test
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock hatchling editables
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --no-build-isolation --editable '.[gui,dev]'
	@touch $@

run: $(STAMP) ## Open the application with the demo running (without a display: a live terminal view and a picture)
	@$(BIN)/penstock demo

test: test-fast test-slow ## Run every test

test-fast: $(STAMP)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "not slow"

test-slow: $(STAMP)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow

check: $(STAMP) ## Lint, format check, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Let the formatter and the fixable lints rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Print the speed ratios (pipeline against the bare library, window against none)
	$(BIN)/python -m tests.benchmarks

screenshots: $(STAMP) ## Render every panel, light and dark, into build/screenshots
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tests.ui.screenshots build/screenshots

clean: ## Remove build products and the virtual environment
	rm -rf build dist $(VENV)
