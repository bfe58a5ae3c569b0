# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is worth knowing of a host, and its outcome in one word. Pure; private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .shapes import epoch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Level = Literal["bad", "attention", "note"]
Fact = dict[str, Any]

LEVELS = ("bad", "attention", "good")
"""The levels of hosts, the worst first."""

FINDING_LEVELS = ("bad", "attention", "note")
"""The levels of findings, the worst first. A `note` makes no host worse."""

# The outcomes, the worst first, with their level. The first three are about the report itself.
OUTCOMES: dict[str, str] = {
    "unreachable": "bad",
    "look_failed": "bad",
    "unknown": "bad",
    "failed": "bad",
    "damaged": "bad",
    "not_begun": "attention",
    "in_progress": "attention",
    "rolling_back": "attention",
    "refused": "attention",
    "rolled_back": "attention",
    "rolled_back_by_timer": "attention",
    "expired": "attention",
    "patched": "good",
    "committed": "good",
    "unchanged": "good",
    "protected": "good",
    "no_snapset": "good",
}
NOT_LOOKED = ("unreachable", "look_failed", "unknown")
"""The outcomes of hosts of which the report knows nothing new."""

_OTHER_LEVEL = "attention"
_DAMAGED = ("damaged", "invalid", "merge_failed", "partly_merged")
_ROLLING = ("merge_pending", "merging")
_FULL, _NEARLY_FULL = 95, 80
_SOON = 3 * 86400


@dataclass(frozen=True)
class Finding:
    """Something about a host: how bad it is, the reason (the same text for all hosts that have it), and the details."""

    level: Level
    reason: str
    detail: str = ""


def level_of(outcome: str) -> str:
    """Return the level of an outcome. One that this release does not know needs attention."""
    return OUTCOMES.get(outcome, _OTHER_LEVEL)


def rank_of(outcome: str) -> int:
    """Return the place of an outcome, from the worst. One that this release does not know comes after the bad ones."""
    known = list(OUTCOMES)
    return known.index(outcome) if outcome in OUTCOMES else known.index("not_begun")


def outcome_of_look(look: Fact, now: int) -> str:
    """Return the outcome of a host that no change has reported about. ``now`` is in seconds since the epoch."""
    states = [one["state"] for one in look["snapsets"]]
    if any(state in _DAMAGED for state in states):
        return "damaged"
    if any(state in _ROLLING for state in states):
        return "rolling_back"
    if any(one["expires"] and epoch(one["expires"]) <= now for one in look["snapsets"]):
        return "expired"
    if "active" in states:
        return "protected"
    return "rolled_back" if "rolled_back" in states else "no_snapset"


def findings(look: Fact, now: int) -> list[Finding]:
    """Return everything that is worth knowing of a look."""
    return [
        *(one for snapset in look["snapsets"] for one in _of_snapset(snapset, now)),
        *_of_timers(look),
        *_of_rooms(look),
        *_of_boot(look),
        *_of_coverage(look),
        *(Finding("attention", warning) for warning in look["warnings"] if warning.strip()),
        *(Finding("bad", "the host sent data of a wrong form", sentence) for sentence in look["wrong"]),
        *(Finding("note", "the report does not show all of this host", sentence) for sentence in look["left_out"]),
    ]


def findings_of_outcome(outcome: Fact) -> list[Finding]:
    """Return what a change has reported of a host."""
    level: Level = "bad" if level_of(outcome["outcome"] or "") == "bad" else "attention"
    reason = [Finding(level, outcome["reason"])] if outcome["reason"] else []
    return [*reason, *(_of_difference(one) for one in outcome["gate"])]


def _of_difference(difference: Fact) -> Finding:
    text = ": ".join(filter(None, (difference["check"], difference["difference"])))
    return Finding("attention" if difference["required"] else "note", f"not as before: {text}")


def _of_snapset(snapset: Fact, now: int) -> Iterator[Finding]:
    name, state = snapset["name"] or "", snapset["state"] or "unknown"
    if state in _DAMAGED:
        broken = ", ".join(
            f"{_lv(one)} {spaced(one['state'])}" for one in snapset["members"] if one["state"] != "active"
        )
        yield Finding("bad", f"the snapset is {spaced(state)}", ": ".join(filter(None, (name, broken))))
    elif state in _ROLLING:
        yield Finding("attention", f"the snapset is rolling back ({spaced(state)})", name)
    elif state != "active":
        yield Finding("note" if state == "rolled_back" else "attention", f"the snapset is {spaced(state)}", name)
    yield from _of_expiry(snapset, now)
    for member in snapset["members"]:
        used = member["used_percent"]
        if member["state"] == "active" and member["kind"] == "thick" and member["auto_basis"] != "cannot_overflow":
            yield from _of_use("a snapshot", used, f"{name} {_lv(member)}")


def _of_expiry(snapset: Fact, now: int) -> Iterator[Finding]:
    if snapset["expires"] is not None and snapset["state"] != "rolled_back":
        left = epoch(snapset["expires"]) - now
        if left <= 0:
            yield Finding("attention", "a snapset is kept longer than it should be", snapset["name"] or "")
        elif left <= _SOON:
            yield Finding("note", "a snapset expires within three days", snapset["name"] or "")


def _of_use(what: str, used: float | None, where: str) -> Iterator[Finding]:
    if used is not None and used >= _NEARLY_FULL:
        word = "full" if used >= _FULL else "nearly full"
        yield Finding("bad" if used >= _FULL else "attention", f"{what} is {word}", f"{where} {used:.0f} %")


def _of_timers(look: Fact) -> Iterator[Finding]:
    # What else there is to say of a timer, snapset_info has said in a warning.
    for timer in look["rollback_timers"]:
        if timer["state"] == "armed" and timer["running"] is False:
            yield Finding("bad", "a rollback timer is armed but does not run", timer["name"] or "")


def _of_rooms(look: Fact) -> Iterator[Finding]:
    for pool in look["thin_pools"]:
        where = f"{pool['vg']}/{pool['pool']}"
        yield from _of_use("a thin pool", pool["data_percent"], where)
        yield from _of_use("the metadata of a thin pool", pool["metadata_percent"], where)
    for group in look["volume_groups"]:
        if group["partial"]:
            yield Finding("bad", "a PV is missing", f"VG {group['name']}")


def _of_boot(look: Fact) -> Iterator[Finding]:
    if look["booted_from"] is not None:
        yield Finding("attention", "the host runs in a preview boot", look["booted_from"]["name"] or "")
    for backup in look["boot_backups"]:
        if backup["state"] in ("incomplete", "restoring"):
            yield Finding("attention", f"a backup of /boot is {backup['state']}", backup["name"] or "")
    for snapshot in look["unmanaged_snapshots"]:
        if snapshot["state"] == "invalid":
            yield Finding(
                "attention", "a snapshot outside of snapsets has overflowed", f"{snapshot['vg']}/{snapshot['snapshot']}"
            )


def _of_coverage(look: Fact) -> Iterator[Finding]:
    """What of the system a snapset leaves out. Without any snapset nothing is protected, and nobody asked for it."""
    if not any(one["state"] == "active" for one in look["snapsets"]):
        return
    saved = any(one["state"] == "present" for one in look["boot_backups"])
    for one in look["unprotected"]:
        if one["system"] or (one["boot"] and not saved):
            why = one["reason"] or f"{one['vg']}/{one['lv']} is in no snapset"
            yield Finding("attention", f"{one['mountpoint']} is not protected", why)


def spaced(word: str | None) -> str:
    """Return a word of a result as people read it: `merge pending`."""
    return (word or "unknown").replace("_", " ")


def _lv(member: Mapping[str, Any]) -> str:
    return next(iter(member["mountpoints"]), f"{member['vg']}/{member['origin']}")
