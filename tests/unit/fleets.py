# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets for the tests of the report: results of snapset_info, and hosts with names that try to be something else."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import Visit, make_fleet
from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.host import condense

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.safepoint.lvm.plugins.plugin_utils._report.fleet import Fleet

Fact = dict[str, Any]

NOW = 1795872000
"""The moment of all reports here: 2026-11-28 13:20:00 UTC."""

HOUR, DAY, GIB = 3600, 86400, 1024**3

HOSTILE = (
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "<!--<script>",
    "--> ]]> & &lt; &#60;",
    "\"'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ lookup('pipe', 'touch /tmp/taken') }}{% raw %}",
    "\u2028\u2029\u0085line",
    "\u202egnp.exe\u202c\u2066\u200b\ufeff",
    "\x00\x07\x1b[31mred\x7f\x9b0m",
    "\ud800lone\udfff",
    "a\tb\r\nc",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    ' "=1+1"',
    "a;=1+1;b",
    '","=1+1',
    "\uff1d1+1",
    "x" * 10_000,
    "a\u0301" * 300,
    "__proto__",
    "constructor",
    "",
    " ",
)


def iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def member(origin: str, mountpoint: str, state: str = "active", **more: Any) -> dict[str, Any]:
    values: Fact = {
        "vg": "sysvg",
        "origin": origin,
        "snapshot": f"{origin}_patch",
        "kind": "thick",
        "state": state,
    }
    values |= {"mountpoints": [mountpoint], "size": 2 * GIB, "used_percent": 12.3, "merge_percent": None}
    return {**values, "auto_basis": "cannot_overflow", **more}


def snapset(state: str = "active", age: int = 2 * HOUR, name: str = "patch_2026_11", **more: Any) -> dict[str, Any]:
    members = [member("root", "/", state), member("var", "/var", state)]
    values: Fact = {
        "name": name,
        "id": "0f6b2f9e5d9e4f0f8a1c6e0b8f3d2a71",
        "state": state,
        "created": iso(NOW - age),
    }
    return {**values, "age": age, "rolled_back_at": None, "members": members, **more}


def filesystem(mountpoint: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of the coverage; without a reason it is protected."""
    where: Fact = {
        "source": "/dev/mapper/sysvg-x",
        "fstype": "ext4",
        "mounted": True,
        "vg": None,
        "lv": None,
        "kind": None,
    }
    known: Fact = {"protectable": reason is None, "reason": reason, "system": False, "boot": False}
    return {"mountpoint": mountpoint, **where, **known, "snapsets": [] if reason else ["patch_2026_11"], **more}


def timer(**more: Any) -> dict[str, Any]:
    values: Fact = {
        "name": "patch_2026_11",
        "state": "armed",
        "running": True,
        "phase": "watching",
        "reason": None,
    }
    return {**values, "deadline": iso(NOW + HOUR), "fired_at": None, "after": 1800, "failed_boots": 0, **more}


def info(**more: Any) -> dict[str, Any]:
    """A result of snapset_info of a host with an active snapset."""
    coverage = [
        filesystem("/", system=True),
        filesystem("/var", system=True),
        filesystem("/srv/nas", "nas:/srv is on another host (nfs4)", fstype="nfs4"),
    ]
    return {
        "snapsets": [snapset()],
        "boot_backups": [
            {
                "name": "patch_2026_11",
                "id": None,
                "state": "present",
                "vg": "sysvg",
                "volume": "safepoint_boot",
                "size": 140 * 1024**2,
            }
        ],
        "rollback_timers": [],
        "boot_entries": [],
        "booted_from": None,
        "unmanaged_snapshots": [],
        "copies": [],
        "foreign": [],
        "host_id": "9f1d3c7744a2e05b",
        "volume_groups": [{"name": "sysvg", "size": 20 * GIB, "free": 6 * GIB, "partial": False, "exported": False}],
        "thin_pools": [],
        "coverage": coverage,
        "remarks": [],
        **more,
    }


def outcome(word: str, **more: Any) -> dict[str, Any]:
    return {"schema": 1, "outcome": word, "run": "patch_2026_11", "began": NOW - 2 * HOUR, "ended": NOW - HOUR, **more}


def visit(name: str, outcome_fact: Any = None, *, looked: Any = None, at: int = NOW - 90, **more: Any) -> Visit:
    """A host that was looked at."""
    return Visit(name, condense(info(**more), at), outcome_fact, looked)


def small() -> list[Visit]:
    """A host of each kind."""
    return [*_changed(), *_looked_at(), Visit("late1", None, LATE), Visit("new1")]


GATE = [
    {"check": "failed units", "required": True, "difference": "nginx.service failed"},
    {"check": "sockets", "required": True, "difference": "0.0.0.0:443 is not listening"},
    {"check": "routes", "required": False, "difference": "10.9.0.0/16 via 10.0.0.1 is new"},
]
GONE = "Failed to connect to the host via ssh: connect to host db3 port 22: No route to host"
KEPT: Fact = {"expires": NOW + 2 * DAY, "owner": "Ana Ruiz", "reason": "November updates", "series": "monthly"}
OLD: Fact = {"expires": iso(NOW - 6 * DAY), "owner": "Ana Ruiz", "reason": "OpenSSL 3.0.17", "series": "monthly"}
LATE = outcome("not_begun", reason="the run stopped after 2 hosts had gone back")
REMARK = (
    "the host rolls back to patch_2026_11 by itself at 2026-11-28T14:20:00+00:00 or a little later, unless the "
    "change is accepted: ansible-playbook safepoint.lvm.commit -e snapset=patch_2026_11"
)


def _changed() -> list[Visit]:
    back = outcome("rolled_back", reason="the health gate has failed", gate=GATE, evidence="evidence/web10")
    return [
        visit("web1", outcome("patched"), snapsets=[snapset(**KEPT)]),
        visit("web2", outcome("patched"), snapsets=[snapset(**KEPT)]),
        visit("web10", back, snapsets=[]),
        visit("db1", outcome("refused", reason="VG sysvg lacks 1.2 GiB for the snapsets"), snapsets=[]),
        visit("db2", outcome("refused", reason="VG sysvg lacks 3.4 GiB for the snapsets"), snapsets=[]),
    ]


def _looked_at() -> list[Visit]:
    gone = {"unreachable": True, "msg": GONE}
    overflown = [member("root", "/"), member("var", "/var", "invalid", used_percent=100.0, auto_basis="estimate")]
    merging = [member("root", "/", "merging", used_percent=None, merge_percent=41.0)]
    other: Fact = {"vg": "data", "snapshot": "db_before_migration", "origin": "db", "kind": "thick", "state": "active"}
    pool: Fact = {"vg": "data", "pool": "pool0", "size": 100 * GIB, "data_percent": 87.2, "metadata_percent": 31.0}
    old = snapset(age=9 * DAY, name="patch_2026_10", **OLD)
    return [
        visit("db3", looked=gone, at=NOW - 2 * DAY, snapsets=[snapset(age=2 * DAY + HOUR)]),
        visit("mail1", snapsets=[snapset("invalid", members=overflown)]),
        visit("app1", snapsets=[snapset(**KEPT)], rollback_timers=[timer()], remarks=[REMARK]),
        visit("app2", snapsets=[snapset("merging", members=merging)]),
        visit("old1", snapsets=[old], unmanaged_snapshots=[{**other, "size": 2 * GIB, "used_percent": 61.0}]),
        visit("kvm1", snapsets=[], thin_pools=[pool]),
        visit("idle1", snapsets=[], coverage=[filesystem("/", system=True, snapsets=[])]),
    ]


def large(count: int = 2000) -> list[Visit]:
    """A usual large fleet: most hosts are well, and each eighth one is one of those above."""
    kinds = small()
    expires: Fact = {
        "expires": iso(NOW + 2 * DAY),
        "owner": "Ana Ruiz",
        "reason": "November updates",
        "series": "monthly",
    }
    visits = []
    for number in range(count):
        name = f"host{number:04}.rack{number % 40}.example.com"
        kind = kinds[number // 8 % len(kinds)]
        well = visit(name, outcome("patched"), snapsets=[snapset(age=HOUR + 7 * number, **expires)])
        visits.append(Visit(name, kind.look, kind.outcome, kind.looked) if number % 8 == 0 else well)
    return visits


def hostile() -> list[Visit]:
    """A host for each hostile text, which is in all its texts, also where another type is expected."""
    return [_hostile(name) for name in HOSTILE]


def _hostile(text: str) -> Visit:
    names: Fact = {"name": text, "owner": text, "reason": text, "series": text}
    mine = snapset(members=[member(text, text)], **names)
    look = condense(
        info(
            snapsets=[mine, text],
            coverage=[filesystem(text, text, system=True)],
            remarks=[text],
            volume_groups=[{"name": text, "size": text, "free": text, "partial": text}],
            unmanaged_snapshots=[{"vg": text, "snapshot": text, "origin": text, "state": "invalid", "size": 1}],
            foreign=[{"name": text, "host": text, "vgs": [text]}],
            rollback_timers=[timer(name=text, reason=text, state=text)],
        ),
        NOW,
    )
    said = outcome(text, reason=text, evidence=text, gate=[{"check": text, "required": True, "difference": text}])
    return Visit(text.strip() or f"nameless{len(text)}", look, said, {"failed": True, "msg": text})


def report(visits: Sequence[Visit], title: str = "Safe points of the fleet") -> Fleet:
    return make_fleet(title, visits, NOW)
