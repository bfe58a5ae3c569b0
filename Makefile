# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

PY ?= python3

.PHONY: help setup demo test test-all test-faults unit lint vm-tests build clean

help: ## say what can be made (the default)
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

setup: ## build the Python environments of the tests
	@$(PY) tests/tools setup

demo: ## see a root filesystem broken and rolled back, in a virtual machine
	@$(PY) tests/demo

test: ## run the static checks, the unit tests and the tests on virtual machines
	@$(PY) tests/tools test

test-all: ## the same, with every scenario on every guest
	@$(PY) tests/tools test --all

test-faults: ## break virtual machines on purpose, for hours; goes on where it was stopped
	@$(PY) tests/tools faults

unit: ## run the unit tests on every controller this machine can have
	@$(PY) tests/tools unit

lint: ## run the static checks
	@$(PY) tests/tools lint

vm-tests: ## run the tests on virtual machines
	@$(PY) tests/suite

build: ## build the collection's artefact and print its path
	@$(PY) tests/tools build

clean: ## end the virtual machines and delete all that was made
	@$(PY) tests/vm down --all
	@$(PY) tests/tools clean
