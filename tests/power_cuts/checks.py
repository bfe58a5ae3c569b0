# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true after a power cut. Each function returns a sentence for everything that is not. Pure."""

from __future__ import annotations

from typing import Any

PREFIX = "safepoint."
Sums = dict[str, str]
# The new checksum of each changed file, or None if it was removed.
Changes = dict[str, "str | None"]


def restored_problems(before: Sums, now: Sums) -> list[str]:
    """How files that must be as before the snapset was created differ from that."""
    gone, new = before.keys() - now.keys(), now.keys() - before.keys()
    changed = {path for path in before.keys() & now.keys() if before[path] != now[path]}
    return [
        *(f"{path} is gone, but existed before the snapset was created" for path in sorted(gone)),
        *(f"{path} exists, but did not exist before the snapset was created" for path in sorted(new)),
        *(f"{path} differs from before the snapset was created" for path in sorted(changed)),
    ]


def kept_problems(before: Sums, changes: Changes, now: Sums) -> list[str]:
    """How files that must have all changes made so far differ from that.

    A file whose change was not yet reported as done may have any content. All other files are checked.
    """
    wanted: Changes = {path: checksum for path, checksum in before.items() if not to_be_changed(path)}
    wanted.update(changes)
    wrong = [f"{path} does not have the expected content" for path in wanted if now.get(path) != wanted[path]]
    strange = [path for path in now if path not in before and not to_be_changed(path)]
    return sorted(wrong) + [f"{path} was never written" for path in strange]


def below(directory: str, files: dict[str, Any]) -> dict[str, Any]:
    """The files that are below a directory."""
    return {path: value for path, value in files.items() if path.startswith(f"{directory}/")}


def to_be_changed(path: str) -> bool:
    """Whether the step "change" changes a file: odd numbers are replaced or removed, and new files are added."""
    name = path.rpartition("/")[2]
    return name.startswith("new-") or int(name) % 2 == 1


def snapset_problems(snapset: dict[str, Any], host: dict[str, Any], members: int) -> list[str]:
    """Which snapshots of a set that is reported as active do not exist in the report of LVM."""
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
    return [f"the set is reported as active, but has {len(real)} of {members} snapshots"]


def host_problems(host: dict[str, Any]) -> list[str]:
    """What is wrong with a host, independently of its sets."""
    return [
        *(f"{device} is suspended" for device in host["suspended"]),
        *(f"an LVM command does not end: {command}" for command in host["commands"]),
        *(f"the kernel reports: {line}" for line in host["trouble"]),
        *(f"a unit has failed: {line}" for line in host["failed"]),
    ]


def leftover_problems(host: dict[str, Any], clean: dict[str, Any]) -> list[str]:
    """How a host differs from its clean state."""
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
