# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a host may have in its lists of mounts and in the tags of its LVs."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders as b
import driver
from hypothesis import given
from hypothesis import strategies as st
from odd_values import ODD_TEXT, TEXT

from ansible_collections.safepoint.lvm.plugins.module_utils._host import reading
from ansible_collections.safepoint.lvm.plugins.module_utils._host.mounts import parse_fstab, parse_mountinfo
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


# The kernel and LVM take these as they are.
LINE_TEXT = st.text(st.characters(exclude_characters=" \t\n\\\0", exclude_categories=["Cs"]), min_size=1)


@given(mountpoint=LINE_TEXT.map("/{}".format), source=LINE_TEXT, options=LINE_TEXT)
def test_mountinfo_is_read_whatever_names_are_in_it(mountpoint: str, source: str, options: str) -> None:
    """The kernel writes blanks, line feeds and backslashes in another way, and all else as it is."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "mountinfo")
        line = f"90 29 253:2 / {mountpoint} rw shared:1 - fuse.x {source} {options}\n"
        file.write_bytes(f"{line}91 29 253:2 / /next rw - ext4 /dev/x rw\n".encode())
        lines = reading.read(file).split("\n")
    mounts = [*parse_mountinfo(lines, [(253, 2)])]
    assert [(mount.mountpoint, mount.source) for mount in mounts] == [(mountpoint, source), ("/next", "/dev/x")]


@given(lines=st.lists(st.lists(ODD_TEXT | TEXT, max_size=5).map("\t".join)))
def test_fstab_may_hold_anything(lines: list[str]) -> None:
    """Zeroes of a file that a power cut has left, for example."""
    entries = list(parse_fstab("\n".join(lines).split("\n")))
    assert all(entry.spec and entry.mountpoint for entry in entries)


TAG_VALUES = st.text("".join(chr(code) for code in range(33, 127)), max_size=8) | st.sampled_from(
    ["s", "1" * 32, "9999", "-1", "1" * 13, "1" * 500, "../../x", "$(reboot)", "a/b", "/snap", "s:1", "@s", ".."]
)
ORIGIN = b.volume("vg/a")
MEMBER_TAGS = st.dictionaries(
    st.sampled_from(["set", "id", "count", "origin", "taken", "pvs", "vg", "sealed"]), TAG_VALUES, max_size=2
)
OUTCOME_PARTS = st.dictionaries(st.integers(0, 6), TAG_VALUES, max_size=2)


def _with(tags: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Tags of a member, some of which somebody has written anew."""
    kept = [tag for tag in tags if tag.partition("=")[0].rpartition(".")[2] not in values]
    return [*kept, *(f"safepoint.member.{key}={value}" for key, value in values.items())]


@given(values=MEMBER_TAGS, parts=OUTCOME_PARTS, state=st.sampled_from(["present", "merged", "absent"]))
def test_tags_may_hold_anything(values: dict[str, str], parts: dict[int, str], state: Any) -> None:
    """They can be written by hand: what is none of ours is none, and what is shown is fit for the name of a file."""
    outcome = b.outcome_tag("merging", name="z", set_id="f" * 32).split(":")
    origin = replace(ORIGIN, tags=(":".join(parts.get(place, part) for place, part in enumerate(outcome)),))
    tags = _with(b.member_tags(origin), values)
    there = b.host_state([origin, b.thick_snapshot(origin, "a_s", tags=tuple(tags))])
    for shown in host_info(there, None)["snapsets"]:
        assert re.fullmatch("[A-Za-z0-9-]+", shown["id"])
        driver.reasons(there, b.request("vg/a", name=shown["name"], state=state))
