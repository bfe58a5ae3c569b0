# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that see sets of other hosts: hypervisors with the disks of their guests, and hosts that got a disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders as b

from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.foreign import own_state

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume

ROOT = b.volume("sys/root")
DATA = b.volume("data/db")
GUEST_ID = "9" * 32


def kept(vg: str, *, name: str = "s", set_id: str = b.SET_ID, host: str = b.HOST, **more: Any) -> list[Volume]:
    """A complete backup of /boot and a timer."""
    known: dict[str, Any] = {"set_name": name, "set_id": set_id, "vg": b.lvm_uuid(vg), "host": host}
    backup = (*_tags.BootTags(taken=b.NOW, **known).to_tags(), _tags.boot_seal("5" * 64))
    timer = _tags.TimerTags(armed=b.NOW, after=60, boots=0, **known).to_tags()
    return [
        b.volume(f"{vg}/safepoint_{kind}_{name}", tags=tags, **more)
        for kind, tags in (("boot", backup), ("timer", timer))
    ]


def of(*volumes: Volume, here: str = b.HOST) -> HostState:
    """A host that runs from sys/root."""
    return own_state(b.host_state((ROOT, *volumes), mounts={"/": ROOT}, host_id=here))


def members_of(origin: Volume, host: str, **more: Any) -> tuple[Volume, ...]:
    return b.of_host([b.member(origin, **more)], host)


def guest_volumes(*, active: bool, state: str) -> list[Volume]:
    """The VGs of a guest, with LVs and a set of the same names as those of the hypervisor."""
    thick, thin = b.volume("ga/a"), b.thin("gt/t", thin_id=1)
    pair = [b.member(origin, set_id=GUEST_ID, count=2) for origin in (thick, thin)]
    found = [thick, thin, *pair]
    if state == "pending":
        found = [*b.pending(thick, pair[0], count=2), *b.pending(thin, pair[1], count=2)]
        found = [replace(lv, tags=tuple(tag.replace(b.SET_ID, GUEST_ID) for tag in lv.tags)) for lv in found]
    elif state == "rolled_back":
        tag = b.outcome_tag("rolled_back", thick, thin, count=2, set_id=GUEST_ID)
        found = [replace(thick, tags=(tag,)), replace(thin, tags=(tag,))]
    found += [b.thin_pool("gt/pool"), *kept("ga", set_id=GUEST_ID)]
    return [lv if active else b.inactive(lv) for lv in b.of_host(found, b.OTHER_HOST)]


def hypervisor(host: HostState, *, active: bool, state: str = "active") -> HostState:
    return b.joined(host, [b.group("ga"), b.group("gt")], guest_volumes(active=active, state=state))
