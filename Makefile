# Two commands do everything on a fresh Debian machine: `make demo` and `make test`.
# Both prepare the machine by themselves (tools/bootstrap.sh).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
# Options of the demo: `make demo STAY=1 CHAOS=1 SMALL=1 ARGS="--picture demo.svg"`.
DEMO_OPTIONS := $(if $(STAY),--stay) $(if $(CHAOS),--chaos) $(if $(SMALL),--small) $(ARGS)

.PHONY: help demo test lint format unit contract system console test-vm agent-bundle test-keystone contract-long contract-postgresql soak bench docs lock changelog clean

help: ## Show these targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What demo, tests and races need: the stamp of each is renewed when the lock file or the script changes.
$(READY): pyproject.toml uv.lock tools/bootstrap.sh
	@tools/bootstrap.sh
	@touch $@

$(READY)-%: $(READY)
	@tools/bootstrap.sh $*
	@touch $@

demo: $(READY) ## Migrate a live disk from start to proof (STAY=1 CHAOS=1 SMALL=1).
	@$(BIN)/python -m demo $(DEMO_OPTIONS)

test: lint unit contract system console ## Run the linters and all tests.

lint: $(READY) ## Check format, lint, types and layers.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/house_rules.py

format: $(READY) ## Format the code and mend what the linter can.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

unit: $(READY) ## Run the tests of the rules: no subprocess, no network.
	@$(BIN)/pytest -q -n 2 tests/unit

contract: $(READY)-test ## Run the vendor's SDK against a running server.
	@$(BIN)/pytest -q tests/contract

system: $(READY)-test ## Run real processes on loop devices and filesystems.
	@$(BIN)/pytest -q --durations=8 tests/system

console: $(READY)-test ## Look at the web console in a real browser.
	@$(BIN)/pytest -q tests/console

test-vm: $(READY)-vm $(READY)-bundle ## Boot servers in virtual machines: rehearsals of sound and of broken copies (ARGS="-k ...").
	@$(BIN)/pytest -q -rs --durations=8 --timeout 1200 $(ARGS) tests/vm

agent-bundle: $(READY)-bundle ## Build the agent as one file that needs no Python where it runs.
	@$(BIN)/python -m tools.agent_bundle build/agent-bundle/wherry-agent-x86_64

test-keystone: $(READY) ## Run the identity back end against a real OpenStack Keystone.
	@tools/keystone.sh install
	@$(BIN)/pytest -q tests/keystone

contract-postgresql: $(READY)-test ## Run the contract tests on PostgreSQL, with one process and with two workers.
	@$(BIN)/python -m tests.contract.on_postgresql $(ARGS)

contract-long: $(READY)-test ## Drive the running server through 10,000 random steps, and try 200 requests for each operation.
	@WHERRY_STEPS=10000 $(BIN)/pytest -q tests/contract/test_contract_state_machine.py --timeout 3600
	@WHERRY_EXAMPLES=200 $(BIN)/pytest -q tests/contract/test_contract_schema.py --timeout 3600

soak: $(READY)-test ## Run the proof of tracking and the faults for many seeds (WHERRY_SOAK_FIRST=0 WHERRY_SOAK_SEEDS=200).
	@WHERRY_SOAK_SEEDS=$${WHERRY_SOAK_SEEDS:-200} $(BIN)/pytest -q --timeout 900 $(ARGS) \
		tests/system/test_disks_tracking_proof.py tests/system/test_faults_*.py

bench: $(READY)-bench ## Race Wherry against its peers and print ratios.
	@$(BIN)/python -m bench $(ARGS)

docs: $(READY) ## Build the documentation into site/.
	@build/uv/bin/uv sync --frozen --quiet --group docs
	@$(BIN)/mkdocs build --strict --quiet

lock: $(READY) ## Renew uv.lock.
	@build/uv/bin/uv lock --upgrade

changelog: $(READY) ## Preview CHANGELOG.md from the fragments in changes/.
	@$(BIN)/towncrier build --draft

clean: ## Remove what the targets above made.
	@rm -rf .venv build dist site .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
