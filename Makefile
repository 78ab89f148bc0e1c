SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The tools that need Node.js: pinned in tools/package-lock.json.
TOOLS := tools/node_modules/.bin
FORMATTED := openapi.yaml dcs.arazzo.yaml generator-config.yaml tools/*.yaml tools/overlays/*.yaml tests/contract/*.yaml tests/mutation/*.yaml
# The page that the emulator serves. Prerequisites are read in order: so it must stand here.
PAGE := src/dcs_sessions/emulator/page.html
PORT ?= 4010
SECONDS ?= 600

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

# As `setup`, from files whose hashes are known, and of which none can be another than it was.
.PHONY: setup-release
setup-release: ## Build the environment that releases are built in
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: --requirement release-requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	$(BIN)/python -m pip check
	@touch $(VENV)/.ready

tools/node_modules/.ready: tools/package.json tools/package-lock.json tools/.npmrc
	@command -v npm >/dev/null || { echo "Node.js 20.19 or newer, with npm, is needed for this." >&2; exit 1; }
	cd tools && npm ci
	@touch $@

.PHONY: tools
tools: tools/node_modules/.ready ## Install the tools that need Node.js

.PHONY: generate
generate: $(VENV)/.ready ## Make generated/ from openapi.yaml, and the sync client of the async one
	$(BIN)/python -m tools.generate

.PHONY: check-generated
check-generated: $(VENV)/.ready ## Check that both are what `make generate` makes
	$(BIN)/python -m tools.generate --check
	@# A clean checkout would not have such a file.
	@new=$$(git ls-files --others --exclude-standard -- generated src/dcs_sessions/_sync); \
	[ -z "$$new" ] || { echo "Generated, but not added to git: $$new" >&2; exit 1; }

.PHONY: lint
lint: tools/node_modules/.ready ## Check the rules and the format of openapi.yaml and dcs.arazzo.yaml
	$(TOOLS)/redocly lint openapi.yaml dcs.arazzo.yaml --config tools/redocly.yaml
	$(TOOLS)/spectral lint openapi.yaml dcs.arazzo.yaml --ruleset tools/spectral.yaml --fail-severity hint
	@$(TOOLS)/prettier --config tools/prettier.yaml --check $(FORMATTED) || { echo 'Run `make format`.' >&2; exit 1; }

# For the description of another repository; tools/check-fork says how it is used.
SPEC ?= openapi.yaml
SUMMARY ?= /dev/null
.PHONY: check-spec
check-spec: $(VENV)/.ready tools/node_modules/.ready ## Lint, compare and generate from SPEC=..., a fork
	$(TOOLS)/redocly lint $(SPEC) --config tools/redocly.yaml
	$(TOOLS)/spectral lint $(SPEC) --ruleset tools/spectral.yaml --fail-severity hint
	rm -rf build/fork
	$(BIN)/python -m tools.generate --spec $(SPEC) --output build/fork
	$(BIN)/python -m tools.breaking --spec '$(SPEC)' --base '$(BASE)' --summary '$(SUMMARY)'

.PHONY: lint-ci
lint-ci: $(VENV)/.ready ## Check the workflows (needs Go) and the Containerfile
	@# GitHub has these two properties of `job`; this version of actionlint does not know them yet.
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 -ignore 'property "workflow_(sha|repository)" is not defined'
	$(BIN)/hadolint Containerfile

.PHONY: audit
audit: $(VENV)/.ready tools/node_modules/.ready ## Look for known vulnerabilities in what is pinned
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt
	cd tools && npm audit

.PHONY: breaking
breaking: $(VENV)/.ready tools/node_modules/.ready ## Compare the contract and the Python API with the last release (or BASE=...)
	$(BIN)/python -m tools.breaking --base '$(BASE)'
	$(BIN)/python -m tools.breaking_python --base '$(BASE)'

.PHONY: mock
mock: tools/node_modules/.ready ## Serve the examples of openapi.yaml on PORT=4010
	@node -e 'require("net").createServer().once("error", (e) => { console.error(`$(PORT): $${e.code}. Choose another port: make mock PORT=...`); process.exit(1) }).listen($(PORT), "127.0.0.1", function () { this.close() })'
	$(TOOLS)/prism mock --host 127.0.0.1 --port $(PORT) openapi.yaml

.PHONY: format
format: $(VENV)/.ready tools/node_modules/.ready ## Give all files their canonical format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(TOOLS)/prettier --config tools/prettier.yaml --write $(FORMATTED)

.PHONY: check
check: $(VENV)/.ready ## Lint and check the types of everything, and the safety of the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/zizmor --quiet --offline --persona pedantic .
	$(BIN)/python -m tools.style

.PHONY: demo
demo: $(VENV)/.ready ## See the sessions of a real Valkey, and end one of them
	@$(BIN)/python examples/demo.py

# The tests that need Node.js are skipped where it is not, but never in CI.
.PHONY: test
test: $(VENV)/.ready $(if $(CI)$(shell command -v npm),tools/node_modules/.ready $(PAGE)) ## Run the tests
	$(BIN)/pytest --numprocesses auto

# OPTIONS="--times 3 tests/client" says how often, and what.
.PHONY: flakes
flakes: $(VENV)/.ready ## Run the tests in other orders, busy, on one core, in another zone and language
	$(BIN)/python tests/flakes.py $(OPTIONS)

.PHONY: contract
contract: $(VENV)/.ready ## Test the emulator against openapi.yaml, every status of every operation
	$(BIN)/python -m tools.contract

.PHONY: contract-long
contract-long: $(VENV)/.ready ## Fuzz the emulator for SECONDS=600
	$(BIN)/python -m tools.contract --seconds $(SECONDS)
	$(BIN)/pytest -m settings tests/contract

.PHONY: contract-live
contract-live: $(VENV)/.ready ## Test a real DCS: reads and scans only, unless told otherwise
	$(BIN)/python -m tools.contract --live

.PHONY: clients
clients: $(VENV)/.ready ## Make, build and run the clients of other languages (or ONLY="go rust")
	$(BIN)/python -m tools.clients $(ONLY)

$(PAGE): openapi.yaml tools/page.py $(VENV)/.ready tools/node_modules/.ready
	$(BIN)/python -m tools.page

.PHONY: golden
golden: $(VENV)/.ready ## Write what commands print into the documentation, and its pictures
	DCS_SESSIONS_WRITE_GOLDEN=1 $(BIN)/pytest tests/docs/test_alert.py tests/docs/test_tutorial.py

SITE := build/site
.PHONY: docs
docs: $(PAGE) ## Build the documentation in build/site
	rm -rf $(SITE)
	$(BIN)/python -m tools.commands
	@# --clean: its cache does not see that a docstring has changed.
	SITE=$(SITE) $(BIN)/zensical build --clean --strict --config-file mkdocs.yml
	@# What makes search work from a folder is fetched from elsewhere otherwise.
	perl -0pi -e 'BEGIN { open F, "tools/node_modules/iframe-worker/shim/index.js"; $$shim = <F> } s|<script src="https://unpkg\.com/iframe-worker/shim"[^>]*></script>|<script>$$shim</script>|' $$(find $(SITE) -name '*.html')
	$(TOOLS)/redocly build-docs openapi.yaml --config tools/redocly.yaml --inlineBundle --output $(SITE)/api.html
	@# Redoc would fetch the logo of its makers, whose name is enough.
	perl -pi -e 's|https://cdn\.redoc\.ly/[\w/.-]+\.svg|data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 width=%2248%22 height=%2212%22%3E%3Ctext y=%2210%22 font-size=%2212%22 font-family=%22sans-serif%22%3ERedocly%3C/text%3E%3C/svg%3E|g' $(SITE)/api.html

# Built twice, it is the same to the byte: the time in it is that of the commit.
.PHONY: build
build: $(VENV)/.ready $(PAGE) ## Build the wheel and the sdist in dist/, and check them
	rm -rf dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BIN)/python -m build --no-isolation
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/twine check --strict dist/*
	$(BIN)/pydistcheck dist/*

# One build for both: dist/ for the index, build/release/ for those who want the contract alone.
.PHONY: release-files
release-files: build docs editions ## Collect what a release carries in build/release
	rm -rf build/release build/sbom
	mkdir -p build/release
	cp $(EDITIONS)/* $(SITE)/api.html build/release/
	$(PYTHON) -m venv --without-pip build/sbom
	$(BIN)/python -m pip --python build/sbom install --quiet --constraint constraints.txt "$$(echo dist/*.whl)[emulator]"
	$(BIN)/python -m tools.sbom build/sbom build/release/sbom.cdx.json
	$(BIN)/python -m tools.editions --checksums build/release
	$(BIN)/python -m tools.release notes > build/release/notes.md

EDITIONS := build/editions
.PHONY: editions
editions: $(VENV)/.ready tools/node_modules/.ready ## Make and check every edition of the contract in build/editions
	rm -rf $(EDITIONS)
	$(BIN)/python -m tools.editions $(EDITIONS)
	$(TOOLS)/openapi-typescript $(EDITIONS)/openapi.clients.yaml --output $(EDITIONS)/dcs.d.ts
	$(TOOLS)/tsc --noEmit --strict $(EDITIONS)/dcs.d.ts
	$(BIN)/python -m tools.editions --checksums $(EDITIONS)
	$(BIN)/pytest --quiet tests/contract/test_editions.py
	cd $(EDITIONS) && sha256sum --check --quiet SHA256SUMS

.PHONY: packages
packages: $(VENV)/.ready tools/node_modules/.ready ## Make the npm package and the Go module (needs Go) in build/packages
	$(BIN)/python -m tools.packages build/packages

.PHONY: publish
publish: $(VENV)/.ready ## Upload a release to the index that twine's variables name
	$(BIN)/python -m tools.release check
	$(MAKE) check-generated
	$(MAKE) check lint breaking build
	@# Again, since this may have taken a while and the checks may have changed files.
	$(BIN)/python -m tools.release check
	$(BIN)/python -m tools.release upload

.PHONY: test-publish
test-publish: $(VENV)/.ready tools/node_modules/.ready ## Publish to an index on loopback, install, upgrade
	cd tests/package/npm && npm ci --silent
	$(BIN)/pytest -m index tests/package

# $(call test_in,FOLDER,WHAT TO INSTALL,OPTIONS): the tests in an environment without src/.
define test_in
	rm -rf $(1)
	$(PYTHON) -m venv --without-pip $(1)
	$(BIN)/python -m pip --python $(1) install --quiet $(2)
	cd $(1) && bin/python -c 'import dcs_sessions, sys; sys.exit(sys.prefix not in dcs_sessions.__file__)'
	$(1)/bin/pytest --numprocesses auto $(3)
endef

.PHONY: test-wheel
test-wheel: build tools/node_modules/.ready ## Run the tests against the built wheel
	$(call test_in,build/wheel,--constraint constraints.txt "$$(echo dist/*.whl)[emulator]" --group dev)

.PHONY: facts
facts: $(VENV)/.ready tools/node_modules/.ready ## Bring the rows of tests/contract/facts.yaml in line with openapi.yaml
	PYTHONPATH=.:tests $(BIN)/python -m contract.facts
	@$(TOOLS)/prettier --config tools/prettier.yaml --log-level warn --write tests/contract/facts.yaml

.PHONY: vendor
vendor: $(VENV)/.ready ## Compare openapi.yaml with the newest SDK of the vendor (needs the network)
	rm -rf build/vendor
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target build/vendor --no-deps huaweicloudsdkcore huaweicloudsdkdcs
	PYTHONPATH=build/vendor:.:tests $(BIN)/python -m contract.vendor

.PHONY: mutants
mutants: $(VENV)/.ready ## Plant faults in the contract and the emulator: the tests find all
	PYTHONPATH=.:tests $(BIN)/python -m mutation.document
	PYTHONPATH=.:tests $(BIN)/python -m mutation.run

# OPTIONS="--unjudged" goes on where a run was interrupted, "--sample 200" judges some of them.
.PHONY: mutants-client mutants-emulator
mutants-client mutants-emulator: $(VENV)/.ready ## Mutate the client or the emulator, and list what its tests do not notice
	PYTHONPATH=.:tests $(BIN)/python -m mutation.mutate $(@:mutants-%=%) $(OPTIONS)

.PHONY: test-lowest
test-lowest: build tools/node_modules/.ready ## Run the tests with the lowest allowed versions
	$(BIN)/python -m tools.lowest > build/lowest.txt
	@# What builds the package needs newer versions of some, and is no part of it.
	$(call test_in,build/lowest,--constraint build/lowest.txt "$$(echo dist/*.whl)[emulator]" --group test,--ignore tests/package)

.PHONY: bench
bench: $(VENV)/.ready ## Measure the client against its peers
	@mkdir -p reports
	$(BIN)/python tests/bench/bench.py reports/bench.json

.PHONY: footprint
footprint: $(VENV)/.ready ## Measure what an installation takes, beside its peers (needs the network)
	$(BIN)/python -m tools.footprint

.PHONY: resilience
resilience: $(VENV)/.ready ## Meet every fault, and load: 10,000 connections, 100,000 requests
	$(BIN)/pytest --numprocesses auto tests/resilience/test_faults.py tests/secrets
	@# One after the other, since they print what they measure.
	DCS_SESSIONS_LOAD=full $(BIN)/pytest --capture=no tests/resilience/test_load.py tests/resilience/test_window.py

.PHONY: fuzz
fuzz: $(VENV)/.ready ## Fuzz what is public and what reads answers, for ten minutes
	$(BIN)/pytest --numprocesses auto --timeout 0 --hypothesis-profile long tests/fuzz tests/emulator/test_client_list.py tests/emulator/test_model.py
