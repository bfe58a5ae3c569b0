# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deliberate breaks of tests/mutants_table.py and tests/guest/breaks.py still fit the code that they break."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_MUTANTS = runpy.run_path(str(_ROOT / "tests" / "mutants_table.py"))["MUTANTS"]
_BREAKS = runpy.run_path(str(_ROOT / "tests" / "guest" / "breaks.py"))["BREAKS"]


@pytest.mark.parametrize("broken", [*_MUTANTS, *_BREAKS.values()], ids=lambda broken: f"{broken.file}: {broken.old}")
def test_what_is_broken_is_there_once_and_still_python_when_broken(broken: Any) -> None:
    text = (_ROOT / "plugins" / "module_utils" / broken.file).read_text(encoding="utf-8")
    assert text.count(broken.old) == 1
    compile(text.replace(broken.old, broken.new), broken.file, "exec")


@pytest.mark.parametrize("broken", _BREAKS.values(), ids=_BREAKS.keys())
def test_the_test_of_a_break_exists(broken: Any) -> None:
    file, _colons, name = broken.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (_ROOT / "tests" / "guest" / file).read_text(encoding="utf-8")
