PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DEV_STAMP := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-slow test-soak check format bench bench-accelerator bench-handle bench-parallel screenshots package package-test clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(DEV_STAMP) ## Install everything (system libraries, virtual environment, pinned packages, test tools)

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

$(STAMP): requirements.lock pyproject.toml .ci/system-packages
	@sh .ci/system-packages
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable '.[gui]'
	@touch $@

$(DEV_STAMP): $(STAMP)
	@sh .ci/system-packages --test
	@$(PIP) --no-build-isolation --editable '.[gui,dev]'
	@touch $@

run: $(STAMP) ## Open the application with the demo running (without a display: a live terminal view and a picture)
	@$(BIN)/penstock demo

test: test-fast test-slow ## Run the tests (without the long ones)

test-fast: $(DEV_STAMP)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "not slow"

test-slow: $(DEV_STAMP)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "slow and not soak"

test-soak: $(DEV_STAMP) ## Run the long tests: many rounds, many items, a cluster
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m soak

check: $(DEV_STAMP) ## Lint, format check, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV_STAMP) ## Let the formatter and the fixable lints rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_STAMP) ## Print the speed ratios (pipeline against the bare library, window against none)
	$(BIN)/python -m tests.benchmarks

bench-accelerator: $(DEV_STAMP) ## The same for the accelerator classes
	$(BIN)/python -m tests.benchmarks --rounds 5 accelerator

bench-handle: $(DEV_STAMP) ## The same for handle, contexts and line cameras
	$(BIN)/python -m tests.benchmarks --rounds 5 handle

bench-parallel: $(DEV_STAMP) ## The same for buffers, runners and pools, against the originals
	$(BIN)/python -m tests.benchmarks --rounds 5 parallel_buffer parallel_runner parallel_machine

screenshots: $(DEV_STAMP) ## Render every panel, light and dark, into build/screenshots
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tests.ui.screenshots build/screenshots

package: ## Build wheel, sdist, the frozen application and, on Linux, the Debian package into dist
	@sh .ci/system-packages
	@$(PYTHON) resources/packaging/build.py

package-test: $(DEV_STAMP) ## Install the Debian package into a fresh Debian tree and use it there (needs root)
	@$(BIN)/python -m tests.packaging.debian_tree

clean: ## Remove build products and the virtual environment
	rm -rf build dist $(VENV)
