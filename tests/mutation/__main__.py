# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python3 tests/mutation unit|guest ...`: break the code, and check that the unit tests or guest tests detect it."""

import sys
from pathlib import Path
from runpy import run_module

sys.path[0] = str(Path(__file__).resolve().parents[1])
program = sys.argv.pop(1) if sys.argv[1:] else ""
if program not in ("unit", "guest"):
    sys.exit("usage: python3 tests/mutation unit [WORD], or: python3 tests/mutation guest NAME [BREAK...]")
run_module(f"mutation.{program}", run_name="__main__")
