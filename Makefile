PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tools that need Node.js: pinned in tools/package-lock.json.
TOOLS := tools/node_modules/.bin
FORMATTED := openapi.yaml generator-config.yaml tools/*.yaml tests/contract/*.yaml
PORT ?= 4010

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is rebuilt when what goes into it changes.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[emulator]' --group dev
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## Build the environment in .venv

tools/node_modules/.ready: tools/package.json tools/package-lock.json tools/.npmrc
	@command -v npm >/dev/null || { echo "Node.js 20.19 or newer, with npm, is needed for this." >&2; exit 1; }
	cd tools && npm ci
	@touch $@

.PHONY: tools
tools: tools/node_modules/.ready ## Install the tools that need Node.js

.PHONY: generate
generate: $(VENV)/.ready ## Make the Python client in generated/ from openapi.yaml
	rm -rf build/generate && mkdir -p build/generate
	PATH="$(CURDIR)/$(BIN):$$PATH" openapi-python-client generate --path openapi.yaml --config generator-config.yaml \
		--meta none --output-path build/generate/dcs_sessions_api --fail-on-warning
	touch build/generate/dcs_sessions_api/py.typed
	rm -rf $(GENERATED) && mkdir -p generated && mv build/generate/dcs_sessions_api $(GENERATED)
	$(BIN)/python -c "$$UNASYNC"
	$(BIN)/ruff check --quiet --select I,F401 --fix src/dcs_sessions/_sync && $(BIN)/ruff format --quiet src/dcs_sessions/_sync

# The sync client is the async one without await, so neither is written twice.
define UNASYNC
import pathlib, shutil, unasync
shutil.rmtree("src/dcs_sessions/_sync", ignore_errors=True)
names = {
    "AsyncClient": "Client",
    "AsyncRawClient": "RawClient",
    "AsyncRetrying": "Retrying",
    "_async": "_sync",
    "_transport_aiohttp": "_transport_httpx",
}
files = [str(path.resolve()) for path in pathlib.Path("src/dcs_sessions/_async").glob("*.py")]
unasync.unasync_files(files, [unasync.Rule("/_async/", "/_sync/", names)])
endef
export UNASYNC

.PHONY: check
check: $(VENV)/.ready ## Lint and check the types of everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright

.PHONY: demo
demo: $(VENV)/.ready ## See the sessions of a real Valkey, and end one of them
	@$(BIN)/python examples/demo.py

.PHONY: test
test: $(VENV)/.ready ## Run the tests
	$(BIN)/pytest -n 2

.PHONY: bench
bench: $(VENV)/.ready ## Measure the client against its peers
	@mkdir -p reports
	$(BIN)/python tests/bench/bench.py reports/bench.json
