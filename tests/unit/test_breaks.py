# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deliberate errors of tests/mutation still match the code that they break."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mutation.code import Outdated, broken
from mutation.guest import BREAKS, Break
from mutation.unit import MUTANTS

if TYPE_CHECKING:
    from mutation.unit_table import Mutant

_ROOT = Path(__file__).resolve().parents[2]
_PLUGINS = _ROOT / "plugins"


@pytest.mark.parametrize("one", [*MUTANTS, *BREAKS.values()], ids=lambda one: one.old)
def test_the_code_to_break_occurs_once_and_compiles_when_broken(one: Mutant | Break) -> None:
    path, text = broken(_PLUGINS, one.old, one.new)
    compile(text, path.name, "exec")


def test_code_that_occurs_twice_cannot_be_broken() -> None:
    with pytest.raises(Outdated, match="times, expected once: 'from __future__ import annotations'"):
        broken(_PLUGINS, "from __future__ import annotations", "")


@pytest.mark.parametrize("one", BREAKS.values(), ids=BREAKS.keys())
def test_the_test_of_a_break_exists(one: Break) -> None:
    file, _colons, name = one.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (_ROOT / "tests" / "guest" / file).read_text(encoding="utf-8")
