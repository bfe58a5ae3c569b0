# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages import only packages below them, and pure code imports nothing that reads or runs something."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest
from imports import MODULE_UTILS, imports_of, outside, package_of, sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# From the bottom to the top. A package imports itself and the lines before it, never another package of its line.
LEVELS = (
    ("_durations", "_errors", "_host_model", "_names", "_paths", "_settings"),
    ("_model",),
    ("_steps",),
    ("_host", "_health.program"),
    ("_lvm", "_boot_files", "_health"),
    ("_snapset",),
    ("_snapset.plan", "_rollback_timer.program"),
    ("_boot_backup", "_boot_entry", "_initramfs_hook", "_rollback_timer"),
    ("_module",),
)
LEVEL_OF = {package: level for level, packages in enumerate(LEVELS) for package in packages}
# Pure packages. A file is also pure if its first docstring says so.
PURE = (
    *("_durations", "_errors", "_host_model", "_names", "_model", "_paths", "_settings", "_steps"),
    *("_snapset", "_snapset.plan"),
)
NOT_PURE = {"ctypes", "fcntl", "os", "shutil", "signal", "socket", "subprocess", "tempfile", "time"}

FILES = sources()


def wrong_imports(files: Mapping[str, str]) -> Iterator[str]:
    """Every import of a package that is not below."""
    for name in files:
        here = package_of(name)
        for other in sorted(imports_of(name, files)):
            there = package_of(other)
            if here != there and LEVEL_OF[there] >= LEVEL_OF[here]:
                yield f"{name} -> {other}"


def impure_imports(files: Mapping[str, str]) -> Iterator[str]:
    """Every import with which pure code could read or run something."""
    pure = {name for name, text in files.items() if is_pure(name, text)}
    for name in sorted(pure):
        found = imports_of(name, files)
        # A step is a value. How it is carried out does not concern the plan that contains it.
        wrong = {other for other in found - pure if not other.endswith(".steps")} | (outside(files[name]) & NOT_PURE)
        yield from (f"{name} -> {other}" for other in sorted(wrong))


def is_pure(name: str, text: str) -> bool:
    return package_of(name) in PURE or re.search(r"\bPure\b", ast.get_docstring(ast.parse(text)) or "") is not None


def cycles(files: Mapping[str, str]) -> list[str]:
    """The files that remain after repeatedly removing those that import no remaining file."""
    left = {name: imports_of(name, files) for name in files}
    while done := [name for name, others in left.items() if not others & left.keys()]:
        for name in done:
            del left[name]
    return sorted(left)


def test_every_package_has_a_level() -> None:
    assert {package_of(name) for name in FILES} == set(LEVEL_OF)


def test_imports_go_downwards() -> None:
    assert [*wrong_imports(FILES)] == []


def test_pure_code_imports_only_pure_code() -> None:
    assert [*impure_imports(FILES)] == []
    assert [name for name, text in FILES.items() if name.startswith("_snapset") and "Pure" not in text] == []


def test_there_are_no_import_cycles() -> None:
    assert cycles(FILES) == []


@pytest.mark.parametrize("package", [package for packages in LEVELS[3:] for package in packages])
def test_every_package_says_what_it_knows_and_what_it_must_not_know(package: str) -> None:
    """In one docstring. There is no __init__.py: ansible-test requires it to be empty, and it is not needed."""
    statement = re.compile(rf"The package ``{re.escape(package)}`` knows .*\. It must\s+not\s+know\s", re.DOTALL)
    docstrings = [
        ast.get_docstring(ast.parse(text)) or "" for name, text in FILES.items() if package_of(name) == package
    ]
    assert len([text for text in docstrings if statement.search(text)]) == 1


def test_the_page_on_the_architecture_shows_every_file() -> None:
    tree = (MODULE_UTILS.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    # "_snapset/plan/" becomes "_snapset.plan", with the text up to the next package. The first line has the values.
    parts = re.split(r"^(_[\w/]+)/ ", tree, flags=re.MULTILINE)
    shown = {name.replace("/", "."): text for name, text in zip(parts[1::2], parts[2::2])}
    stems = {name: name.rpartition(".")[2] for name in FILES}
    words = {name: re.findall(r"\w+", shown.get(package_of(name), tree)) for name in FILES}
    assert [name for name, stem in stems.items() if stem not in words[name]] == []


@pytest.mark.parametrize(
    "text",
    [
        "from .._module.session import Session",
        "from .._module import session",
        "from . import x\nfrom .. import _module",
        "from ansible_collections.safepoint.lvm.plugins.module_utils._module.session import Session",
        "from ansible_collections.safepoint.lvm.plugins.module_utils._module import session",
        "import ansible_collections.safepoint.lvm.plugins.module_utils._module.session",
        "if TYPE_CHECKING:\n    from .._module.session import Session",
        "def work() -> None:\n    from .._module.session import Session",
    ],
)
def test_a_wrong_import_is_detected(text: str) -> None:
    """An import upwards, in all notations."""
    files = {"_module.session": "", "_boot_backup.x": "", "_boot_backup.y": text}
    if text.endswith("import _module"):
        files["_module"] = ""
    assert len([*wrong_imports(files)]) == 1


def test_a_package_of_the_same_level_is_a_wrong_import() -> None:
    files = {"_boot_entry.grub": "", "_rollback_timer.unit": "from .._boot_entry import grub", "_model": ""}
    assert [*wrong_imports(files)] == ["_rollback_timer.unit -> _boot_entry.grub"]
    files["_rollback_timer.unit"] = "from .._model import Picture\nfrom . import timers"
    files["_rollback_timer.timers"] = ""
    assert [*wrong_imports(files)] == []


@pytest.mark.parametrize("text", ["from .._host.reading import read", "import os", "from subprocess import run"])
def test_an_impure_import_is_detected(text: str) -> None:
    assert len([*impure_imports({"_host.reading": "", "_snapset.x": text})]) == 1
    assert len([*impure_imports({"_host.reading": "", "_boot_entry.x": f'"""Pure."""\n{text}'})]) == 1
    assert [*impure_imports({"_host.reading": "", "_boot_entry.x": text})] == []


def test_a_cycle_is_detected() -> None:
    assert cycles({"_lvm.a": "from . import b", "_lvm.b": "from .c import x", "_lvm.c": "from .a import y"}) == [
        "_lvm.a",
        "_lvm.b",
        "_lvm.c",
    ]
    assert cycles({"_lvm.a": "from . import b", "_lvm.b": "from .c import x", "_lvm.c": ""}) == []
