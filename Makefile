# Each target installs what it needs: only python3 (3.11 or newer), make and pip are required.
# To use another interpreter: make test PYTHON=python3.12 VENV=.venv-3.12

PYTHON ?= python3
VENV ?= .venv
# Two processes more than there are processors: tests also wait for disks and for other processes. With
# one more, two processors have nothing to do for a fifth of the time; with two more, for a tenth.
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 2)
# The files are run in the order of their names. By default, those with many tests are first, and those
# that mostly wait, for other processes, are left to the end: then the processors have nothing to do.
PYTEST_ARGS ?= --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
RUN_MINUTES ?= 45
UPGRADE ?=
MINUTES ?= 10
WORKERS ?= 1
JOURNAL ?= sqlite
SEED ?=
SEEDS ?= 200
SECONDS ?= 12
ROUNDS ?= 7
PYTHONS ?= $(PYTHON)
EXAMPLES ?= 20000
FILES ?= vertexkit/journal vertexkit/worker vertexkit/context vertexkit/ingress
SAMPLE ?= 200
AUDIT_ARGS ?=
IMAGE_TESTS ?= tests/image

# After RUN_MINUTES the tests end themselves and say what did not end (tests/run_limit.py); if they cannot
# do that, they are aborted a minute later.
export RUN_MINUTES
LIMIT = $(if $(shell command -v timeout),timeout --foreground --signal=ABRT --kill-after=30 $(shell expr $(RUN_MINUTES) + 1)m)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV := $(BIN)/uv --system-certs
# Installs what these arguments of pip name. uv needs a tenth of the time of pip, but does not read pip's
# configuration: pip installs it where there is no uv, or where uv cannot reach the package index. Like
# pip, uv accepts the certificates that the system accepts, for example of a company's proxy.
INSTALL = $(UV) pip install --quiet --python $(BIN)/python $(1) 2>$(VENV)/uv.log || $(PIP) install -qq $(1)
SOURCES := vertexkit tests example_blocks benchmarks
UV_COMPILE := uv --system-certs pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help demo test measured-tests fast system simulate soak attack bench measure bench-short fuzz mutants audit sbom docs package guides image lint types format lock pictures clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## run one example block on the fake platform
	@$(BIN)/vertexkit trigger example_blocks.loan:app loan -i amount=100000 -i months=12

# The types are checked beside the tests, which also wait for other things than a processor. Their
# report is printed after that of the tests: wherever a failure is, it is among the last lines.
test: lint  ## run the gate: format, lint, imports, types, tests, coverage
	@$(BIN)/python tests/tools.py
	@echo "The types are checked beside the tests; the report follows at the end."
	@$(MAKE) --no-print-directory types >$(VENV)/types.log 2>&1 & types=$$!; \
	trap 'kill $$types 2>/dev/null' INT TERM; \
	$(MAKE) --no-print-directory measured-tests; tests=$$?; \
	wait $$types; types=$$?; \
	if [ $$types != 0 ]; then cat $(VENV)/types.log; else echo "The types are correct."; fi; \
	[ $$tests = 0 ] || echo "make: the tests or their coverage failed: see above" >&2; \
	[ $$types = 0 ] || echo "make: the check of the types failed: see above" >&2; \
	[ $$tests$$types = 00 ]

measured-tests:
	$(BIN)/coverage erase
	$(LIMIT) $(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

fast: $(VENV)/.dev  ## run the tests that need no browser, no image and no killed services
	$(LIMIT) $(BIN)/python -m pytest $(PYTEST_ARGS) $(addprefix --ignore=tests/,browser chaos image)

system:  ## install the programs that tests need, with apt-get, as root or by sudo
	@set -e; packages=$$($(PYTHON) tests/tools.py --packages); [ -n "$$packages" ] || exit 0; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); $$sudo apt-get -qq update; \
	for package in $$packages; do echo "Installing $$package ..."; \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
			$$package >/dev/null || echo "make: $$package cannot be installed" >&2; done

simulate: $(VENV)/.dev  ## run the service in a simulation with fresh seeds: SEEDS=200, or SEED= for one with its trace
	@$(BIN)/python -m tests.chaos.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

soak: $(VENV)/.dev  ## kill a service under load again and again: MINUTES=10 SEED= WORKERS=1 JOURNAL=sqlite
	@$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) --workers $(WORKERS) --journal $(JOURNAL) \
		$(if $(SEED),--seed $(SEED))

attack: $(VENV)/.dev  ## attack a service, SECONDS=12 per attack, and report how it serves valid calls
	@$(BIN)/python benchmarks/attack.py --seconds $(SECONDS)

bench:  ## compare the cost of an execution with other services: PYTHONS="python3.11 python3.13" ROUNDS=7
	@set -e; for python in $(PYTHONS); do \
		$(MAKE) --no-print-directory measure PYTHON=$$python VENV=.venv-bench-$${python##*/}; done

measure: $(VENV)/.bench
	@$(BIN)/python benchmarks/executions.py --connections 32,256,1024 --rates 500,half \
		--rounds $(ROUNDS) --executions 800 --loads 3 --write benchmarks/RESULTS.md

bench-short: $(VENV)/.bench  ## the same in two minutes: a closed loop of 32 connections, fewer services
	@$(BIN)/python benchmarks/executions.py --services floor_gc,bolt,memory,sqlite \
		--rounds 5 --executions 800 --loads 2

fuzz: $(VENV)/.dev  ## fuzz each parser of untrusted input with EXAMPLES=20000 generated inputs
	@EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz --timeout 0 $(PYTEST_ARGS)

mutants: $(VENV)/.dev  ## change the code in SAMPLE=200 places, and report what no test notices: FILES= SEED=
	@nice -n 10 $(BIN)/python -m tests.mutation.run --sample $(SAMPLE) $(if $(SEED),--seed $(SEED)) $(FILES)

# One lock at a time: pip-audit refuses a package that is in two of its files.
audit: $(VENV)/.supply  ## check the pinned packages for known vulnerabilities
	@status=0; log=$(VENV)/audit.log; for lock in locks/*.txt; do \
		$(BIN)/pip-audit --strict --require-hashes --disable-pip $(AUDIT_ARGS) -r $$lock 2>$$log || status=1; \
		echo "$$lock: $$(tail -n 1 $$log)"; \
		grep -qE '^(Found|No known)' $$log || { echo "make: $$lock was not audited. The service cannot be" \
			"reached, or does not know the package: mirrors of PyPI often have no data on vulnerabilities." \
			"To ask another service: make audit AUDIT_ARGS='--vulnerability-service osv'" >&2; exit 1; }; \
	done; exit $$status

sbom: $(VENV)/.supply  ## write the image's bill of materials, CycloneDX, to dist/sbom.json
	@mkdir -p dist
	@$(BIN)/python -W ignore -m cyclonedx_py requirements locks/image.txt --pyproject pyproject.toml \
		--output-reproducible --validate -o dist/sbom.json
	@echo "dist/sbom.json"

docs: $(VENV)/.docs  ## build the site of the manual, in English and Russian, in the folder site
	@$(BIN)/python docs/site/build.py

# They install for minutes.
package image: RUN_MINUTES = 120

# Pythons that are not installed are left out.
package: $(VENV)/.release  ## build the wheel and the sdist in dist/, check them, and try them in fresh environments
	rm -rf dist/vertexkit-*
	$(BIN)/hatchling build -d dist
	$(BIN)/twine check --strict dist/vertexkit-*
	$(BIN)/check-wheel-contents dist/vertexkit-*.whl
	$(BIN)/pyroma --min 10 dist/vertexkit-*.tar.gz
	$(LIMIT) $(BIN)/python -m pytest --numprocesses $(PROCESSES) tests/packaging -m release \
		-o faulthandler_timeout=3600

guides: $(VENV)/.guides  ## run the code of the guides with SQLAlchemy, Django, FastAPI, Flask and other servers
	$(LIMIT) $(BIN)/python -m pytest tests/guides -m release

# Without a container engine; the part that needs root and mmdebstrap is left out without them.
image: $(VENV)/.dev  ## carry out the Dockerfile, in a scratch folder and in a Debian root, and try the result
	$(LIMIT) $(BIN)/python -m pytest $(IMAGE_TESTS) -m release -s -o faulthandler_timeout=6000

lint: $(VENV)/.dev  ## check format, style and import contracts
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports

types: $(VENV)/.dev  ## check types, and that the public types are complete
	$(BIN)/pyrefly check --output-format min-text
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright --verifytypes vertexkit --ignoreexternal

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff check --fix-only $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Keeps the pins that are in locks/; `make lock UPGRADE=--upgrade` replaces them with the newest.
lock:  ## pin the dependencies of pyproject.toml in locks/
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	$(PYTHON) -m venv "$$dir"; \
	"$$dir/bin/python" -m pip --disable-pip-version-check install -qq -r locks/uv.txt; \
	PATH="$$dir/bin:$$PATH"; \
	$(UV_COMPILE) -o locks/uv.txt --group install; \
	$(UV_COMPILE) -o locks/run.txt pyproject.toml; \
	$(UV_COMPILE) -o locks/image.txt -c locks/run.txt --extra postgres --extra encryption \
		pyproject.toml; \
	$(UV_COMPILE) -o locks/build.txt -c locks/run.txt --group build; \
	$(UV_COMPILE) -o locks/dev.txt -c locks/image.txt -c locks/build.txt \
		--extra dev --extra parquet --extra xlsx --group test pyproject.toml; \
	$(UV_COMPILE) -o locks/bench.txt -c locks/image.txt --extra postgres --group bench pyproject.toml; \
	$(UV_COMPILE) -o locks/supply.txt -c locks/dev.txt --group supply; \
	$(UV_COMPILE) -o locks/guides.txt -c locks/dev.txt --group guides; \
	$(UV_COMPILE) -o locks/docs.txt -c locks/dev.txt --group docs; \
	$(UV_COMPILE) -o locks/release.txt -c locks/docs.txt --group release

# The first line of each picture holds the digest of the text that it was drawn from; a test compares.
pictures:  ## draw docs/images/*.svg from the .dot files next to them (needs Graphviz)
	@command -v dot >/dev/null || { echo "make: the program dot is not installed. Install Graphviz" \
		"(Debian and Ubuntu: apt install graphviz)." >&2; exit 1; }
	@set -e; for source in docs/images/*.dot; do picture=$$(dot -Tsvg "$$source"); \
		{ printf '<!-- drawn from %s -->\n' "$$(sha256sum "$$source" | cut -d ' ' -f 1)"; \
		printf '%s\n' "$$picture" | sed '/^<?xml/d'; } >"$${source%.dot}.svg"; done

clean:  ## remove the environment and all files that tools have written
	rm -rf $(VENV) .venv-* build dist site .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is a file in the environment that it describes, so both are deleted together. With another
# HOME, a shim of pyenv starts nothing: tests/pythons.py finds the Python behind it.
$(VENV)/.made:
	@python=$(PYTHON); $$python -c 'pass' 2>/dev/null || \
		python=$$(python3 tests/pythons.py "$(patsubst python%,%,$(notdir $(PYTHON)))" 2>/dev/null); \
	$${python:-false} -c 'pass' || { echo "make: cannot run $(PYTHON). Install Python 3.11" \
		"or newer, or name another interpreter: make PYTHON=python3.12" >&2; exit 1; }; \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"make: vertexkit needs Python 3.11 or newer, and $(PYTHON) is $$($$python -V)." \
		"Name a newer interpreter: make PYTHON=python3.12" >&2; exit 1; }; \
	$$python -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) does not" \
		"include the venv module. Install it (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }; \
	echo "Creating $(VENV) ..."; \
	$$python -m venv --clear $(VENV)
	@$(PIP) install -qq --require-hashes --only-binary :all: -r locks/uv.txt || echo "pip is used instead of uv."
	@touch $@

$(VENV)/.run: $(VENV)/.made locks/run.txt locks/build.txt pyproject.toml
	@echo "Installing the dependencies of vertexkit ..."
	@$(call INSTALL,--require-hashes -r locks/run.txt -r locks/build.txt)
	@$(call INSTALL,--no-deps --no-build-isolation -e .)
	@touch $@

# Packages of tests, and of targets that not everybody runs.
$(VENV)/.dev $(VENV)/.bench: $(VENV)/.run
$(VENV)/.docs $(VENV)/.guides $(VENV)/.release $(VENV)/.supply: $(VENV)/.dev
$(addprefix $(VENV)/.,dev bench docs guides release supply): $(VENV)/.%: locks/%.txt
	@echo "Installing the packages of $< ..."
	@$(call INSTALL,--require-hashes -r $<)
	@touch $@
