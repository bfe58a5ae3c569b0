# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to hold after a power cut, as sentences about what is not so; pure functions."""

from __future__ import annotations

from typing import Any

PREFIX = "safepoint."
Sums = dict[str, str]
# What is known of each file that was changed: its checksum, or None when it was removed.
Changes = dict[str, "str | None"]


def against_before(before: Sums, now: Sums) -> list[str]:
    """How files that have to be as they were before the safe point differ from that."""
    gone, new = before.keys() - now.keys(), now.keys() - before.keys()
    changed = {path for path in before.keys() & now.keys() if before[path] != now[path]}
    return [
        *(f"{path} is gone, and was there before the safe point" for path in sorted(gone)),
        *(f"{path} is there, and was not before the safe point" for path in sorted(new)),
        *(f"{path} is not what it was before the safe point" for path in sorted(changed)),
    ]


def against_changed(before: Sums, changes: Changes, now: Sums) -> list[str]:
    """How files that have to keep the changes made so far differ from that.

    Of a file whose change was not yet reported as done nothing is known, of one that is never changed everything is.
    """
    wanted: Changes = {path: checksum for path, checksum in before.items() if not to_be_changed(path)}
    wanted.update(changes)
    wrong = [f"{path} is not what it has to be" for path in wanted if now.get(path) != wanted[path]]
    strange = [path for path in now if path not in before and not to_be_changed(path)]
    return sorted(wrong) + [f"nobody wrote {path}" for path in strange]


def below(directory: str, files: dict[str, Any]) -> dict[str, Any]:
    """Those of some files that are in a directory."""
    return {path: value for path, value in files.items() if path.startswith(f"{directory}/")}


def to_be_changed(path: str) -> bool:
    """Whether the change touches a file: the odd ones are replaced or removed, the new ones have names of their own."""
    name = path.rpartition("/")[2]
    return name.startswith("new-") or int(name) % 2 == 1


def half_made(snapset: dict[str, Any], host: dict[str, Any], members: int) -> list[str]:
    """What a set that is shown as active lacks, by LVM's own word."""
    if snapset["state"] != "active":
        return []
    tag = f"{PREFIX}member.id={snapset['id']}"
    real = [
        one
        for one in host["volumes"]
        if tag in one["lv_tags"].split(",") and one["origin"] and one["lv_attr"][0] in "sV"
    ]
    if len(real) == len(snapset["members"]) == members:
        return []
    return [f"the set passes for whole with {len(real)} of {members} snapshots"]


def unhealthy(host: dict[str, Any]) -> list[str]:
    """What is wrong with a host whatever state its sets have."""
    return [
        *(f"{device} is suspended" for device in host["suspended"]),
        *(f"this LVM command does not end: {command}" for command in host["commands"]),
        *(f"the kernel says: {line}" for line in host["trouble"]),
        *(f"a unit has failed: {line}" for line in host["failed"]),
    ]


def left_over(host: dict[str, Any], clean: dict[str, Any]) -> list[str]:
    """What a host has or lacks that was there, or not, when it was clean."""
    names, wanted = (sorted(f"{one['vg_name']}/{one['lv_name']}" for one in each["volumes"]) for each in (host, clean))
    tagged = [f"{one['vg_name']}/{one['lv_name']}" for one in host["volumes"] if PREFIX in one["lv_tags"]]
    return [
        *([f"the volumes are {', '.join(names)}, not {', '.join(wanted)}"] if names != wanted else []),
        *(
            [f"the devices are {', '.join(host['devices'])}, not {', '.join(clean['devices'])}"]
            if host["devices"] != clean["devices"]
            else []
        ),
        *(f"{name} still has a tag" for name in tagged),
    ]
