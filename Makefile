# Every target creates .venv and installs from constraints.txt if needed: the first time, and after
# pyproject.toml or constraints.txt has changed. Requires only Python 3.11 or newer and make.

PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINS := pyproject.toml constraints.txt
PAGE := tools/page
# Distributed by file, since tests of one file share services and networks; in their order, since
# the longest files are in the middle. More than eight processes would run out of memory first.
IN_PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help serve zoo test check coverage gpu-check chaos soak audit sbom hashes docs page page-pictures page-check page-types clean same-python

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 chooses the interpreter. TORCH_INDEX=URL chooses another build of torch"
	@echo "  (see 'Start locally' on PyTorch's site; run 'make clean' first)."

serve: $(VENV)/.installed ## Start Cattery on http://127.0.0.1:8000; Ctrl-C stops it
	@exec $(BIN)/cattery serve

zoo: $(VENV)/.installed ## Train the generators of the zoo; Ctrl-C saves, and the same command resumes
	@exec $(BIN)/python -m tools.zoo train $(NAMES) $(if $(EDITION),--edition $(EDITION)) \
	  $(if $(PICTURES),--pictures "$(PICTURES)") $(if $(AT_ONCE),--at-once $(AT_ONCE)) \
	  $(if $(STOP_AFTER),--stop-after $(STOP_AFTER)) $(if $(AGAIN),--again) \
	  $(if $(IDLE),--idle)

test: check ## Run the checks, then all tests in parallel
	$(BIN)/pytest $(IN_PARALLEL)

check: $(VENV)/.installed-dev page-check ## Check style, types, import rules, spelling, dependencies and generated pages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typos
	$(BIN)/deptry .
	$(BIN)/python -m docs.generate --check

coverage: $(VENV)/.installed-dev ## Run all tests and report uncovered branches
	$(BIN)/pytest $(IN_PARALLEL) --cov --cov-report=term-missing:skip-covered --cov-fail-under=95
	$(BIN)/coverage report --include='models/gan/losses.py,models/gan/re*.py' --fail-under=100

gpu-check: $(VENV)/.installed-dev ## Run the tests and benchmarks that need a GPU
	@$(BIN)/python -m benchmarks.gpu_check $(PARTS) \
	  $(if $(DATASET),--dataset $(DATASET)) $(if $(PICTURES),--pictures "$(PICTURES)")

chaos: $(VENV)/.installed-dev ## Kill a training Cattery at random, KILLS=100 times; SEED=N replays a run
	@$(BIN)/python -m benchmarks.chaos $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

soak: $(VENV)/.installed-dev ## Ask a Cattery for cats for MINUTES=60, and watch its memory
	@$(BIN)/python -m benchmarks.endurance $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE))
audit: $(VENV)/.installed-dev ## Compare the pinned packages with known vulnerabilities; needs internet
	$(BIN)/pip-audit --strict --requirement constraints.txt --disable-pip --no-deps --progress-spinner off

sbom: $(VENV)/.installed-dev ## Write sbom.json, a bill of materials of what is installed (CycloneDX)
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --output-file sbom.json $(VENV)

hashes: $(VENV)/.installed-dev ## Write requirements.txt with hashes, for `pip install --require-hashes`
	$(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --constraint constraints.txt \
	  --output-file requirements.txt pyproject.toml

docs: $(VENV)/.installed-dev ## Regenerate the reference pages in docs/ from the code
	$(BIN)/python -m docs.generate

page: $(PAGE)/node_modules/.installed ## Renew the libraries of the web page from tools/page/package-lock.json
	cd $(PAGE) && node build.js

# Types of the page's modules, and that its bundled libraries are what `make page` makes.
page-check:
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory page-types; \
	else echo "NOT CHECKED: the modules of the web page, since npm is not installed." >&2; \
	  [ -z "$$CI" ]; fi

page-pictures: $(VENV)/.installed-dev ## Renew the screenshots in docs/images
	CATTERY_TEST_PICTURES=1 $(BIN)/pytest tests/page/test_cat.py

page-types: $(PAGE)/node_modules/.installed
	cd $(PAGE) && node_modules/.bin/tsc --project tsconfig.json && node build.js --check

$(PAGE)/node_modules/.installed: $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

clean: ## Remove .venv and the caches; the data folder stays
	rm -rf $(VENV) $(PAGE)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

$(VENV)/.installed: $(PINS) | same-python
	@$(install_torch)
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(PINS) | same-python
	@$(install_torch)
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Do not silently use another interpreter than the requested one.
same-python: | $(BIN)/pip
	@[ "$(origin PYTHON)" = file ] || [ "`$(PYTHON) --version`" = "`$(BIN)/python --version`" ] || { \
	  echo "$(VENV) has `$(BIN)/python --version`, '$(PYTHON)' is `$(PYTHON) --version 2>&1`." >&2; \
	  echo "To recreate it, downloading about 3 GB with torch, run 'make clean' and try again." >&2; \
	  exit 1; }

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Cattery needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) --version 2>&1`." >&2; \
	  echo "Choose another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Could not create a virtual environment, see above (on Debian and Ubuntu, install the" \
	    "package python3-venv)." >&2; rm -rf $(VENV); exit 1; }

# The pinned torch is installed first and separately: it is nearly all of the download, so its size
# is announced, and another index can be used for it alone (which may lack the versions of its
# dependencies in constraints.txt; those are installed with the rest).
define install_torch
if ! $(BIN)/python -c 'import importlib.metadata as m; m.version("torch")' 2> /dev/null; then \
  echo "Installing torch: a download of about 3 GB on x86-64 Linux, less elsewhere."; \
  [ -n "$(TORCH_INDEX)" ] || echo "For another build, see 'make help' (TORCH_INDEX)."; \
  $(PIP) install --constraint constraints.txt \
    $(if $(TORCH_INDEX),--no-deps --index-url "$(TORCH_INDEX)") torch; \
fi
endef
