# The commands of this repository; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup engine panel browser demo lab test test-unit test-aws test-panel screenshots check bench clean

# Another Python than python3, or than the one that .venv has: make setup PYTHON=python3.12
PYTHON ?=
BIN := .venv/bin
# Set, it would have every import in tests and jobs compile again.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## Make .venv with everything that the other commands need
	@scripts/setup-venv.sh $(PYTHON)

engine: ## Have a container engine answer (installs one when run as root)
	@scripts/setup-engine.sh

panel: setup ## Build the JupyterLab panel and put it into .venv
	@scripts/setup-panel.sh

browser:
	@scripts/setup-browser.sh

demo: setup engine ## Run the quickstart notebook from its first cell to its last
	$(BIN)/python examples/run_notebook.py examples/quickstart.ipynb

lab: setup engine panel ## Open JupyterLab with the quickstart, and the panel beside it
	$(BIN)/python examples/open_lab.py $(if $(filter 0,$(shell id -u)),--allow-root)

test: setup engine panel browser test-panel ## Run all tests
	$(BIN)/python -m pytest

test-panel: panel ## Run the tests of the panel's TypeScript, in seconds
	@cd labextension && PATH=$(CURDIR)/$(BIN):$$PATH npm test --silent

screenshots: setup engine panel browser ## Take the pictures in docs/img
	$(BIN)/python scripts/take_screenshots.py

test-unit: setup ## Run the tests that need neither containers nor servers, in seconds
	$(BIN)/python -m pytest -q -p no:anyio tests/unit -m "not docker and not s3 and not service and not slow"

test-aws: setup ## Have AWS confirm what only it can (costs: set SM_REMOTE_TEST_AWS_MAX_USD)
	$(BIN)/python -m pytest -m aws scripts/aws/verify.py

check: setup ## Lint, formatting, types, and that imports point down
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup engine ## Measure what the README promises
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --group bench
	$(BIN)/python benchmarks/run.py

clean: ## Remove what can be made again, .venv too
	rm -rf .venv .clients .make dist build sm_remote/labextension labextension/node_modules labextension/lib labextension/build-tests .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find sm_remote tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
