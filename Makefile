PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is rebuilt when what goes into it changes.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[emulator]' --group dev
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## Build the environment in .venv

GENERATED := generated/dcs_sessions_api

# Written beside its place and moved there when it is whole, so that a failure changes nothing and
# nothing survives from an operation that is gone.
.PHONY: generate
generate: $(VENV)/.ready ## Make the Python client in generated/ from openapi.yaml
	rm -rf build/generate && mkdir -p build/generate
	PATH="$(CURDIR)/$(BIN):$$PATH" openapi-python-client generate --path openapi.yaml --config generator-config.yaml \
		--meta none --output-path build/generate/dcs_sessions_api --fail-on-warning
	touch build/generate/dcs_sessions_api/py.typed
	rm -rf $(GENERATED) && mkdir -p generated && mv build/generate/dcs_sessions_api $(GENERATED)

.PHONY: check
check: $(VENV)/.ready ## Lint and check the types of everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
