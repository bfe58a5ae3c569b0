# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes `python3 tests/tools` work in any directory: the directory `tests` becomes importable."""

import sys
from pathlib import Path
from runpy import run_module

sys.path[0] = str(Path(__file__).resolve().parents[1])
run_module("tools.cli", run_name="__main__")
