# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Each target sets up what it needs; needed are only Python 3.11 or newer with venv, git and make.
# ARGS="…" is handed on, as in: make test ARGS="tests/unit -k settings"

.DEFAULT_GOAL := help
.PHONY: help demo emulator test test-all races benchmark lint types sanity ci clean
MAKEFLAGS += --no-print-directory

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: ## See the collection at work on an emulated fleet
	@scripts/demo $(ARGS)

emulator: ## Keep a KooPhone emulator running on port 8480
	@scripts/emulator $(ARGS)

test: ## Run the tests, in about two minutes
	@scripts/test $(ARGS)

test-all: ## Run the slow tests as well
	@scripts/test --all $(ARGS)

races: ## Hunt for a lie of the state store: 2,000 random sequences of runs, faults and kills
	@scripts/races $(ARGS)

benchmark: ## Measure side by side with uri, an empty module and the ideal: about 12 minutes; ARGS=--quick, 2 minutes
	@scripts/benchmark $(ARGS)

lint: ## Check style: ruff, ansible-lint, documentation, changelog
	@scripts/ci lint $(ARGS)

types: ## Check types: mypy
	@scripts/ci types $(ARGS)

sanity: ## Run ansible-test sanity on the newest ansible-core that this machine can run
	@scripts/ci sanity $(ARGS)

ci: ## Run every gate, on every supported ansible-core that this machine has a Python for
	@scripts/ci $(ARGS)

clean: ## Remove everything that these commands made
	@scripts/clean
