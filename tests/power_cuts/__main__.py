# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run `python3 tests/power_cuts` from any directory: it makes the packages in tests/ importable."""

import sys
from pathlib import Path
from runpy import run_module

sys.path[0] = str(Path(__file__).resolve().parents[1])
run_module("power_cuts.cli", run_name="__main__")
