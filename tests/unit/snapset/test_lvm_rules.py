# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What LVM would refuse, whoever asks; and the table of it in docs/lvm.md."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders as b
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils import _model
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.lvm_rules import RULES, lvm_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import (
    CreateThick,
    CreateThin,
    CreateVolume,
    Extend,
    MemberMerge,
    Merge,
    Remove,
    Retag,
    Wake,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.steps import LvmStep

A, T, POOL = b.volume("vg/a"), b.thin("vg/t"), b.thin_pool()
A_S, T_S = b.member(A), b.member(T)
DATA = b.volume("vg/pool_tdata", roles=frozenset({"private", "thin", "pool", "data"}))
THICK = CreateThick("vg", "a", "a_s", (), 10, 10 * b.EXTENT)
THIN = CreateThin("vg", "t", "t_s", ())
LINEAR = CreateVolume("backup", "vg", "backup", 10, 10 * b.EXTENT, ())
EXTEND = Extend("vg", "a_s", 20, 20 * b.EXTENT)
START, POLL, ACTIVATE = (Wake(("vg/t", "vg/a"), way) for way in ("start", "poll", "activate"))
TAG = Retag(("vg/a",), "seal", add=("x",))


def merge(*snapshots: _model.Volume) -> Merge:
    return Merge(tuple(MemberMerge(one.full_name, f"vg/{one.origin}", one.key, one.thin_id) for one in snapshots))


MERGE, REMOVE = merge(A_S, T_S), Remove.of([A_S, T_S])
EVERY = (THICK, THIN, LINEAR, EXTEND, MERGE, REMOVE, TAG, START, POLL, ACTIVATE)


def host(*volumes: _model.Volume, **group: Any) -> HostState:
    """The host with all LVs of this file, of which ``volumes`` replace those of the same name."""
    names = {one.full_name for one in volumes}
    rest = [one for one in (A, A_S, T, T_S, POOL, DATA) if one.full_name not in names]
    return b.host_state([*rest, *volumes], groups=[b.group(**group)])


@dataclass(frozen=True)
class Case:
    """On ``host_state`` the steps ``refused`` are refused, with a sentence that contains ``says``; no others are."""

    host_state: HostState
    says: str
    refused: Sequence[LvmStep]


LOCKED_DATA = host(replace(DATA, locked=True))
CASES = {
    "exported": Case(host(exported=True), "VG vg is exported", EVERY),
    "read-only": Case(host(writable=False), "VG vg is read-only", EVERY),
    "partial": Case(host(partial=True), "VG vg is partial", (THICK, THIN, LINEAR, EXTEND, MERGE)),
    "duplicate": Case(host(duplicates=("/dev/sdb", "/dev/sdc")), "duplicate PV (/dev/sdb, /dev/sdc)", EVERY),
    "unknown type": Case(
        host(b.volume("vg/odd", layout=frozenset({"unknown"}), segtype="new")),
        "vg/odd is of a type that this LVM does not know (new)",
        (THICK, THIN, LINEAR, EXTEND, MERGE, REMOVE, TAG),
    ),
    "unknown type elsewhere": Case(host(b.volume("other/odd", layout=frozenset({"unknown"}))), "", ()),
    "too many": Case(
        host(max_lvs=6, lv_count=6), "has 6 LVs and may have at most 6, but 1 more", (THICK, THIN, LINEAR)
    ),
    "not too many": Case(host(max_lvs=7, lv_count=6), "", ()),
    "metadata": Case(
        host(metadata_free=4095), "4095 bytes left for its metadata, but 4096 are needed for 1", (THICK, THIN, LINEAR)
    ),
    "enough metadata": Case(host(metadata_free=4096), "", ()),
    "locked origin": Case(host(replace(A, locked=True)), "pvmove moves vg/a, and LVM has locked it", (THICK,)),
    "locked store": Case(host(replace(A_S, locked=True)), "pvmove moves vg/a_s,", (EXTEND, MERGE, REMOVE)),
    "locked pool": Case(LOCKED_DATA, "pvmove moves thin pool vg/pool", (THIN, MERGE, REMOVE, START, POLL, ACTIVATE)),
    "another locked pool": Case(host(b.volume("vg/pool2_tdata", locked=True)), "", ()),
    "locked pool of another VG": Case(host(b.volume("other/pool_tdata", locked=True)), "", ()),
    "thick snapshot of a member": Case(
        host(b.thick_snapshot(T_S, "mine")), "vg/t_s has a thick snapshot (vg/mine)", (REMOVE,)
    ),
    "external origin": Case(
        host(replace(T_S, roles=T_S.roles | {"extthinorigin"})), "vg/t_s is the external origin", (REMOVE, MERGE)
    ),
    "merge into a member": Case(
        host(b.thin_snapshot(T_S, "mine", merging=True)), "vg/mine is to be merged into vg/t_s", (MERGE,)
    ),
    "read-only origin": Case(host(replace(A, writable=False)), "vg/a is read-only, so LVM merges nothing", (MERGE,)),
    "read-only thin origin": Case(host(replace(T, writable=False)), "", ()),
    "merge into an external origin": Case(
        host(replace(A, roles=A.roles | {"extthinorigin"})), "vg/a is the external origin of thin volumes", (MERGE,)
    ),
    "mixed origin": Case(host(b.thick_snapshot(T, "mine")), "vg/t has a thick snapshot (vg/mine), so LVM", (MERGE,)),
    "thick sibling": Case(host(b.thick_snapshot(A, "mine")), "", ()),
    "healthy": Case(host(), "", ()),
}


@pytest.mark.parametrize("name", CASES)
def test_steps(name: str) -> None:
    case = CASES[name]
    found = {step: lvm_problems(case.host_state, [step]) for step in EVERY}
    assert [step for step in EVERY if found[step]] == [step for step in EVERY if step in case.refused]
    assert all(case.says in problem for problems in found.values() for problem in problems)


def test_what_is_removed_before_makes_room() -> None:
    assert lvm_problems(host(max_lvs=6, lv_count=6), [Remove.of([A_S]), THICK]) == ()
    assert lvm_problems(host(max_lvs=6, lv_count=6), [Remove.of([A_S]), THICK, THIN]) != ()


def test_a_snapshot_of_a_member_that_is_removed_with_it() -> None:
    mine = b.thick_snapshot(T_S, "mine")
    assert lvm_problems(host(mine), [Remove.of([mine, T_S])]) == ()


def test_each_reason_is_given_once() -> None:
    assert len(lvm_problems(host(exported=True), EVERY)) == 1


def test_every_rule_has_a_case() -> None:
    """Without a rule, one of the cases is not refused any more."""
    for rule in RULES:
        assert any([*rule.problems(case.host_state, EVERY)] for case in CASES.values()), rule.says


PLUGINS = Path(_model.__file__).parents[1]
TABLE = PLUGINS.parent / "docs" / "lvm.md"
PLACEHOLDER = "…"


def rows() -> list[list[str]]:
    """The rows of all tables below the heading of LVM's refusals, each as its cells."""
    _before, _heading, text = TABLE.read_text(encoding="utf-8").partition("\n## What LVM refuses\n")
    text = text.partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| LVM says")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def strings() -> str:
    """All texts in the code; values in them are replaced by a placeholder."""
    return "\n".join(
        _text(node)
        for file in sorted(PLUGINS.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Constant, ast.JoinedStr))
    )


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else PLACEHOLDER


def test_every_rule_is_in_the_table() -> None:
    found = {(cells[0], cells[1]) for cells in rows()}
    for rule in RULES:
        assert (f"`{rule.says}`", f"`{rule.source}`") in found


def test_every_check_of_the_table_exists() -> None:
    """The table quotes the sentence that a user sees before."""
    assert len(rows()) > len(RULES)
    texts = strings()
    for cells in rows():
        assert len(cells) == 3, cells
        quoted = re.findall(r"\*([^*]+)\*", cells[2])
        assert quoted or cells[2].startswith("not known before:"), cells
        assert [part for part in quoted if part not in texts] == [], cells
