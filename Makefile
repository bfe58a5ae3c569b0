# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

PY ?= python3
CACHE = $(or $(SAFEPOINT_CACHE),.cache)
# The image of the guest for `make guest` and `make shell`.
IMAGE ?= trixie
DEV = dev-$(IMAGE)
T ?=

.PHONY: help setup demo test test-all test-faults guest shell unit roles browser lint guests build clean

help: ## list the commands (the default)
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

setup: ## build the Python environments of the tests
	@$(PY) tests/tools setup

demo: ## break and roll back a root filesystem in a virtual machine
	@$(PY) tests/demo

test: ## run the static checks, the tests without a host, and tests on guests
	@$(PY) tests/tools test

test-all: ## the same, with all scenarios on all guests
	@$(PY) tests/tools test --all

test-faults: ## break virtual machines on purpose, for hours; continues an interrupted run
	@$(PY) tests/tools faults

guest: ## run tests inside a guest that keeps running: make guest T="test_merge.py -k thin"
	@$(PY) tests/tools setup main
	@$(PY) tests/vm ready $(DEV) --image $(IMAGE)
	@$(CACHE)/envs/main/bin/python tests/guest $(DEV) -- $(T)

shell: ## open a shell in that guest
	@$(PY) tests/vm ready $(DEV) --image $(IMAGE)
	@$(PY) tests/vm shell $(DEV)

unit: ## run the unit tests with every ansible-core
	@$(PY) tests/tools unit

roles: ## run the roles with every ansible-core, on simulated hosts
	@$(PY) tests/tools roles

browser: ## run the tests of the report's page in Chromium
	@$(PY) tests/tools browser

lint: ## run the static checks
	@$(PY) tests/tools lint

guests: ## run the tests that need guests
	@$(PY) tests/suite

build: ## build the artefact of the collection and print its path
	@$(PY) tests/tools build

clean: ## stop the virtual machines and delete everything that was built
	@$(PY) tests/vm down --all
	@$(PY) tests/tools clean
