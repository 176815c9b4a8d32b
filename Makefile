# Everything below builds what it needs: only python3 (3.11 or newer), make and pip are expected.
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
PYTEST_ARGS ?= --numprocesses auto --dist loadfile
UPGRADE ?=
MINUTES ?= 10
WORKERS ?= 1
SEED ?=
SECONDS ?= 12
EXAMPLES ?= 20000

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := vertexkit tests example_blocks benchmarks
UV_PIN := uv==0.13.9
UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help demo test soak attack fuzz audit sbom lint types format lock pictures clean
.DELETE_ON_ERROR:

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## run one example block on the fake platform
	@$(BIN)/vertexkit trigger example_blocks.loan:app loan -i amount=100000 -i months=12

test: lint types $(VENV)/.browser  ## the gate: format, lint, types, tests, coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

soak: $(VENV)/.dev  ## kill a service under load for MINUTES=10, SEED=, WORKERS=1
	@$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) --workers $(WORKERS) $(if $(SEED),--seed $(SEED))

attack: $(VENV)/.dev  ## attack a service for SECONDS=12 each, and print what proper callers met
	@$(BIN)/python benchmarks/attack.py --seconds $(SECONDS)

fuzz: $(VENV)/.dev  ## throw EXAMPLES=20000 made-up inputs at each thing that reads strangers' bytes
	@EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz --timeout 0 $(PYTEST_ARGS)

audit: $(VENV)/.supply  ## look the pinned packages up in the database of known vulnerabilities
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip $(addprefix -r ,$(wildcard locks/*.txt))

sbom: $(VENV)/.supply  ## list what the image is made of, as CycloneDX, in dist/sbom.json
	@mkdir -p dist
	@$(BIN)/python -W ignore -m cyclonedx_py requirements locks/run.txt --pyproject pyproject.toml \
		--output-reproducible --validate -o dist/sbom.json
	@echo "dist/sbom.json"

lint: $(VENV)/.dev  ## check format and style
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: $(VENV)/.dev  ## check types strictly
	$(BIN)/mypy $(SOURCES)

format: $(VENV)/.dev  ## rewrite the code to the house's format
	$(BIN)/ruff check --fix-only $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Pins already in locks/ are kept; `make lock UPGRADE=--upgrade` moves them to the newest.
lock:  ## pin again what pyproject.toml asks for
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	$(PYTHON) -m venv "$$dir"; \
	"$$dir/bin/python" -m pip --disable-pip-version-check install -qq $(UV_PIN); \
	PATH="$$dir/bin:$$PATH"; \
	$(UV_COMPILE) -o locks/run.txt pyproject.toml; \
	$(UV_COMPILE) -o locks/build.txt -c locks/run.txt --group build; \
	$(UV_COMPILE) -o locks/dev.txt -c locks/run.txt -c locks/build.txt \
		--extra dev --extra analytics --group test pyproject.toml; \
	$(UV_COMPILE) -o locks/supply.txt -c locks/dev.txt --group supply

# The first line of each picture holds the digest of the text that it was drawn from; a test compares.
pictures:  ## draw docs/images/*.svg from the .dot files next to them (needs Graphviz)
	@for source in docs/images/*.dot; do \
		{ printf '<!-- drawn from %s -->\n' "$$(sha256sum "$$source" | cut -d ' ' -f 1)"; \
		dot -Tsvg "$$source" | sed '/^<?xml/d'; } >"$${source%.dot}.svg"; done

clean:  ## remove the environment and all that tools left behind
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The page is looked at with Debian's Chromium; where there is none and none can be had, those
# tests are skipped and say so.
$(VENV)/.browser: $(VENV)/.dev
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
		echo "Installing Chromium for the tests of the page ..."; \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } \
		>/dev/null 2>&1 || echo "make: no Chromium: the tests of the page will be skipped" >&2; }
	@touch $@

# Each stamp lives in the environment it speaks of, so they come and go together.
$(VENV)/.made:
	@$(PYTHON) -c 'pass' || { echo "make: $(PYTHON) cannot be run. Install Python 3.11" \
		"or newer, or name yours: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"make: vertexkit needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V)." \
		"Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no" \
		"venv module. Install it (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made locks/run.txt locks/build.txt pyproject.toml
	@echo "Installing what vertexkit runs on ..."
	@$(PIP) install -qq --require-hashes -r locks/run.txt -r locks/build.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run locks/dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install -qq --require-hashes -r locks/dev.txt
	@touch $@

$(VENV)/.supply: $(VENV)/.dev locks/supply.txt
	@echo "Installing what looks the packages up ..."
	@$(PIP) install -qq --require-hashes -r locks/supply.txt
	@touch $@
