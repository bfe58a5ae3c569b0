# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No Python file of the checkout has more than 350 lines, and no function in it more than 40."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 40


def what_is_too_long(name: str, text: str) -> Iterator[str]:
    """Yield what is too long in the file of that name and text. The decorators of a function do not count."""
    lines = len(text.splitlines())
    if lines > LINES_OF_A_FILE:
        yield f"{name}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > LINES_OF_A_FUNCTION:
                yield f"{name}: {node.name} has {length} lines"


def test_no_file_and_no_function_is_too_long() -> None:
    # Names with a dot belong to git and to the cache.
    files = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.glob("[!.]*/**/*.py"))}
    assert {"plugins/modules/snapset.py", "tests/unit/test_code_size.py", "tests/vm/machines.py"} <= files.keys()
    found = [one for name, path in files.items() for one in what_is_too_long(name, path.read_text(encoding="utf-8"))]
    assert found == []


def test_what_is_too_long_is_found() -> None:
    function = "def f():\n" + "    g()\n" * (LINES_OF_A_FUNCTION - 1)
    assert [*what_is_too_long("one.py", function + "\n" * (LINES_OF_A_FILE - LINES_OF_A_FUNCTION))] == []
    assert [*what_is_too_long("one.py", "\n" * (LINES_OF_A_FILE + 1))] == ["one.py: 351 lines"]
    assert [*what_is_too_long("one.py", f"class C:\n async {function}".replace("    ", "     ") + "     g()\n")] == [
        "one.py: f has 41 lines"
    ]
