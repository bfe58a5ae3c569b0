# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The imports between files below plugins/module_utils, including imports for types and those inside functions."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODULE_UTILS = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
_PREFIX = "ansible_collections.safepoint.lvm.plugins.module_utils"


def sources() -> dict[str, str]:
    """Return the text of each file by its dotted name below module_utils, such as ``_snapset.plan.base``."""
    paths = sorted(MODULE_UTILS.rglob("*.py"))
    return {
        ".".join(path.relative_to(MODULE_UTILS).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in paths
    }


def package_of(name: str) -> str:
    """Return the package of a file. A file at the top level is its own package."""
    return name.rpartition(".")[0] or name


def imports_of(name: str, files: Mapping[str, str]) -> set[str]:
    """Return which of ``files``, texts by name, the file ``name`` imports."""
    return {found for node in ast.walk(ast.parse(files[name])) for found in _imported(name, node, files)}


def _imported(name: str, node: ast.AST, files: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        yield from (one[len(_PREFIX) + 1 :] for one in names if one.startswith(f"{_PREFIX}."))
    if isinstance(node, ast.ImportFrom):
        source = _source(name, node)
        if source is not None:
            for alias in node.names:
                # The alias may be a file of the package.
                inside = f"{source}.{alias.name}".lstrip(".")
                yield inside if inside in files else source


def _source(name: str, node: ast.ImportFrom) -> str | None:
    if node.level:
        return ".".join([*name.split(".")[: -node.level], *filter(None, [node.module])])
    module = f"{node.module}."
    return module[len(_PREFIX) + 1 : -1] if module.startswith(f"{_PREFIX}.") else None


def outside(text: str) -> set[str]:
    """Return the first part of the name of each module that a file imports."""
    nodes = list(ast.walk(ast.parse(text)))
    plain = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
