# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

PY ?= python3
CACHE = $(or $(SAFEPOINT_CACHE),.cache)
# Of the guest of `make guest` and `make shell`.
IMAGE ?= trixie
DEV = dev-$(IMAGE)
T ?=

.PHONY: help setup demo test test-all test-faults guest shell unit roles lint guests build clean

help: ## say what can be made (the default)
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

setup: ## build the Python environments of the tests
	@$(PY) tests/tools setup

demo: ## see a root filesystem broken and rolled back, in a virtual machine
	@$(PY) tests/demo

test: ## run the static checks, the tests without a host and those on guests
	@$(PY) tests/tools test

test-all: ## the same, with every scenario on every guest
	@$(PY) tests/tools test --all

test-faults: ## break virtual machines on purpose, for hours; goes on where it was stopped
	@$(PY) tests/tools faults

guest: ## run tests inside a guest that stays up, as in: make guest T="test_merge.py -k thin"
	@$(PY) tests/tools setup main
	@$(PY) tests/vm ready $(DEV) --image $(IMAGE)
	@$(CACHE)/envs/main/bin/python tests/guest $(DEV) -- $(T)

shell: ## a shell in that guest
	@$(PY) tests/vm ready $(DEV) --image $(IMAGE)
	@$(PY) tests/vm shell $(DEV)

unit: ## run the unit tests on every controller
	@$(PY) tests/tools unit

roles: ## run the roles on every controller, against simulated hosts
	@$(PY) tests/tools roles

lint: ## run the static checks
	@$(PY) tests/tools lint

guests: ## run the tests that need guests
	@$(PY) tests/suite

build: ## build the collection's artefact and print its path
	@$(PY) tests/tools build

clean: ## end the virtual machines and delete all that was made
	@$(PY) tests/vm down --all
	@$(PY) tests/tools clean
