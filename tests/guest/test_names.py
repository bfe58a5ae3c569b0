# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of members: plain if possible, otherwise hashed, and never the name of another LV."""

from __future__ import annotations

import re

import lvm
import pytest
from calls import absent, four_runs, ok, present, refused

LONG = "x" + "-" * 63


@pytest.mark.parametrize(
    ("origin", "name"),
    [("thick/c", "x_cdata"), ("thick/c", LONG), ("thin/t2", LONG)],
    ids=["reserved", "long, thick", "long, thin"],
)
def test_a_name_that_lvm_would_reject(origin: str, name: str) -> None:
    taken = ok("snapset", present(name, origin))
    vg, lv = origin.split("/")
    (member,) = taken["snapset"]["members"]
    assert re.fullmatch(rf"{lv}_sp[0-9a-f]{{10}}", member["snapshot"])
    assert lvm.lv(f"{vg}/{member['snapshot']}", "origin")["origin"] == lv
    assert not ok("snapset", present(name, origin))["changed"]
    four_runs("snapset", absent(name), commands=3)


def test_the_name_belongs_to_another_set() -> None:
    ok("snapset", present("x_y", "thick/a"))
    taken = four_runs("snapset", present("y", "thick/a_x"), commands=4)
    (member,) = taken.real["snapset"]["members"]
    assert member["snapshot"].startswith("a_x_sp")
    ok("snapset", absent("x_y"))
    assert lvm.names("thick") == {"a", "a_x", "b", "c", member["snapshot"]}


@pytest.mark.parametrize("kind", ["ordinary", "snapshot"])
def test_the_name_belongs_to_another_lv(kind: str) -> None:
    options = ["-s", "thick/b"] if kind == "snapshot" else ["thick"]
    lvm.run("lvcreate", "-q", "-y", "-L", "8m", "-n", "b_s", *options)
    refused("snapset", present("s", "thick/b"), "thick/b_s is needed but belongs to another LV")
    assert not ok("snapset", absent("s"))["changed"]
    assert "b_s" in lvm.names("thick")


def test_similar_names() -> None:
    """A set is never identified by the names of its members."""
    for name in ("s", "t_s"):
        ok("snapset", present(name, "thick/c"))
    ok("snapset", absent("s"))
    assert lvm.names("thick") == {"a", "a_x", "b", "c", "c_t_s"}
    assert [one["name"] for one in ok("snapset_info", {})["snapsets"]] == ["t_s"]
