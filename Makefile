# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

PY ?= python3

.PHONY: help setup demo test test-all test-faults unit lint vm-tests build clean

help: ## say what can be made (the default)
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

setup: ## build the Python environments of the tests
	@$(PY) tests/env setup

demo: ## see a root filesystem broken and rolled back, in a virtual machine
	@$(PY) tests/demo.py

test: ## run the static checks, the unit tests and the tests on virtual machines
	@$(PY) tests/env test

test-all: ## the same, with every scenario on every guest
	@$(PY) tests/env test --all

test-faults: ## break virtual machines on purpose, for hours; goes on where it was stopped
	@$(PY) tests/env faults

unit: ## run the unit tests on every controller this machine can have
	@$(PY) tests/env unit

lint: ## run the static checks
	@$(PY) tests/env lint

vm-tests: ## run the tests on virtual machines
	@$(PY) tests/vms.py

build: ## build the collection's artefact and print its path
	@$(PY) tests/env build

clean: ## end the virtual machines and delete all that was made
	@$(PY) tests/lab down --all
	@$(PY) tests/env clean
