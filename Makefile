# Every target sets up what it needs: a virtual environment in .venv, filled from requirements.lock.
# Nothing has to be activated, and uv is used where it is installed (it is only quicker).

SHELL := /bin/sh
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin
READY := .venv/.ready
LIVE ?=

.DEFAULT_GOAL := help
.PHONY: help demo test contract lint types build check lock floors notebooks compare bench guard conformance reliability soak clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "openrouter-routing needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) -V 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up .venv from requirements.lock (once; one to three minutes) ..."
ifneq ($(UV),)
	@uv venv --quiet --allow-existing --python "$(PYTHON)" .venv
	@UV_LINK_MODE=copy VIRTUAL_ENV="$(CURDIR)/.venv" uv pip install --quiet -r requirements.lock
	@VIRTUAL_ENV="$(CURDIR)/.venv" uv pip install --quiet --no-deps -e .
else
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
endif
	@touch "$(READY)"

demo: $(READY) ## run the main job on the emulator (LIVE=1 with OPENROUTER_API_KEY: on the real service)
	@$(BIN)/python -m openrouter_routing.cli.demo $(if $(LIVE),--live)

test: $(READY) ## run the tests (no key, no network)
	@$(BIN)/python -m pytest -n auto

contract: $(READY) ## serve other packages' clients from the emulator (builds their environments once)
	@$(BIN)/python -m tests.contract.environments
	@$(BIN)/python -m pytest tests/contract

lint: $(READY) ## ruff: rules and format
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

types: $(READY) ## mypy --strict over the three packages
	@$(BIN)/python -m mypy

build: $(READY) ## build the wheel and the source distribution into dist/
	@$(BIN)/python -m build --outdir dist .

check: lint types build guard soak contract test ## everything CI runs

lock: ## write requirements.lock anew (needs uv)
	uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --all-extras --group dev \
	  pyproject.toml -o requirements.lock

floors: ## run the tests on the lowest versions that pyproject.toml promises (needs uv)
	@uv venv --quiet --allow-existing --python "$(PYTHON)" .cache/floors
	@uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --all-extras --group dev \
	  pyproject.toml -o .cache/floors/requirements.txt
	@VIRTUAL_ENV=.cache/floors UV_LINK_MODE=copy uv pip sync --quiet .cache/floors/requirements.txt
	@VIRTUAL_ENV=.cache/floors uv pip install --quiet --no-deps -e .
	@.cache/floors/bin/python -m pytest -n auto

notebooks: $(READY) ## execute the cookbook in place
	@$(BIN)/python -m tests.notebooks cookbook

compare: $(READY) ## measure what other packages lose, and write the README's table
	@$(BIN)/python -m benchmarks.losses --write

bench: $(READY) ## measure beside the peers, and write docs/performance.md (about ten minutes)
	@$(BIN)/python -m benchmarks --write

guard: $(READY) ## count instructions; fail where a row takes 25% more than benchmarks/baseline.json (needs valgrind)
	@$(BIN)/python -m benchmarks --guard

reliability: $(READY) ## measure what each fault does to the peers and to us, and write docs/reliability.md
	@$(BIN)/python -m benchmarks.reliability --write

soak: $(READY) ## two minutes of every fault at once (SECONDS=... for another time)
	@$(BIN)/python -m benchmarks.soak --seconds $(or $(SECONDS),120)

conformance: $(READY) ## run LlamaIndex's two OpenRouter LLMs through the conformance suite
	@$(BIN)/python -m benchmarks.conformance

clean: ## remove the environment and everything built
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
