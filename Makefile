# Blitz: everything sets itself up. `make help` lists what there is.

BIN := .venv/bin
SETUP := .venv/.set-up
TESTS ?= tests blitz
JOBS ?= 2
SEED ?= $(shell date +%s)
# Without a screen the server runs alone, so missing Qt libraries are no reason to stop.
HAS_SCREEN := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s))

.DEFAULT_GOAL := help
.PHONY: help setup packages run test soak simulate firmware-test lint format docs docs-serve bench wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## make .venv and install everything (the other targets do it when needed)

packages:
	@scripts/packages.sh $(PACKAGES_OPTIONS)

setup lint format docs docs-serve bench wheel: PACKAGES_OPTIONS := --qt-optional
firmware-test: PACKAGES_OPTIONS := --qt-optional --firmware
run: PACKAGES_OPTIONS := $(if $(HAS_SCREEN),,--qt-optional)

$(SETUP): pyproject.toml constraints.txt scripts/setup.sh | packages
	@scripts/setup.sh

run: $(SETUP) ## start a server with two simulated boards, a session, and the client
	@$(BIN)/python scripts/run_demo.py $(ARGS)

test: $(SETUP) ## run the tests; TESTS=tests/data chooses, ARGS=-x goes to pytest
	@QT_QPA_PLATFORM=offscreen $(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS) $(TESTS)

soak: $(SETUP) ## run the tests with the long counts; SEED=… repeats a run
	@echo "Seed: $(SEED) (repeat with: make soak SEED=$(SEED))"
	@BLITZ_SOAK=1 QT_QPA_PLATFORM=offscreen $(BIN)/pytest -n $(JOBS) --dist loadfile \
		--timeout 1800 -o faulthandler_timeout=3600 --hypothesis-seed=$(SEED) $(ARGS) $(TESTS); \
		status=$$?; echo "Seed: $(SEED)"; exit $$status

simulate: $(SETUP) ## run simulated worlds of faults: SEED=… tells one's story, COUNT=… runs many
	@$(BIN)/python tests/simulation/simulate.py $(if $(filter file,$(origin SEED)),--jobs $(JOBS) --count \
		$(or $(COUNT),10000),--seed $(SEED))

firmware-test: packages $(SETUP) ## build the Arduino sketches and run them on emulated chips (two minutes)
	@$(MAKE) --no-print-directory -C firmware
	@FIRMWARE_BUILD=firmware/build $(BIN)/pytest $(ARGS) tests/firmware

lint: $(SETUP) ## check style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(SETUP) ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: export NO_MKDOCS_2_WARNING := 1
docs: $(SETUP) ## build the user's guide into build/site; a warning is an error
	@$(BIN)/mkdocs build --strict
	@echo "The guide: build/site/index.html"

docs-serve: export NO_MKDOCS_2_WARNING := 1
docs-serve: $(SETUP) ## show the guide at http://127.0.0.1:8000 while it is written
	@$(BIN)/mkdocs serve

bench: $(SETUP) ## run every benchmark; ARGS=--json for one line of JSON each
	@set -e; for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python $$benchmark $(ARGS); \
	done

wheel: $(SETUP) ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

clean: ## remove .venv, caches and builds; the demo's recordings in .blitz/ stay
	rm -rf .venv dist build firmware/build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
