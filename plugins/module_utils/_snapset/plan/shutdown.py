# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the host must not go down while merges are pending or running. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._host.steps import AllowHibernation, ForbidHibernation, ForbidKexec
from ..coverage import root_volumes
from ..instances import instances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..._model import HostState
    from ..._steps import Step
    from ..result import View
    from ..state import Instance, MemberState

_UNFINISHED: tuple[MemberState, ...] = ("merge_pending", "merging")


def kexec_problems(host_state: HostState, current: Instance) -> Iterator[str]:
    """Why the reboot would not start the kernel that is in /boot then."""
    if host_state.host.shutdown.kexec == "loaded" and _needs_old_kernel(host_state, current):
        yield (
            "a kernel is loaded for kexec (/sys/kernel/kexec_loaded), and the reboot would start it instead of the one "
            "that fits the restored /: type kexec -u, then run again"
        )


def _needs_old_kernel(host_state: HostState, current: Instance) -> bool:
    """Whether / is rolled back by the next reboot."""
    roots = root_volumes(host_state)
    members = (*current.members_in("active"), *current.members_in("merge_pending"))
    return any(one.origin in roots and one.origin is not None and one.origin.open for one in members)


def steps_before(host_state: HostState, current: Instance, after: View) -> Iterator[Step]:
    """The steps before merges are requested. ``after`` is the snapset after the plan."""
    shutdown = host_state.host.shutdown
    if shutdown.hibernation == "allowed" and _is_unfinished(after):
        yield ForbidHibernation()
    if shutdown.kexec == "allowed" and _needs_old_kernel(host_state, current):
        yield ForbidKexec()


def steps_after(host_state: HostState, current: Instance, after: View) -> Iterator[Step]:
    """The steps when all merges have ended."""
    others = [one for one in instances(host_state) if one.set_id != current.set_id]
    is_last = not _is_unfinished(after) and not any(one.members_in(*_UNFINISHED) for one in others)
    if host_state.host.shutdown.hibernation == "forbidden" and is_last:
        yield AllowHibernation()


def _is_unfinished(after: View) -> bool:
    return any(member.public_state in _UNFINISHED for member in after.members)
