# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true before any module changes anything. Every run passes here. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import Refused
from .._paths import LVM_ARCHIVE
from .._snapset.checks import preview_problems, same_name_problems, udev_problems
from .._snapset.lvm_rules import lvm_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._model import Host, HostState
    from .._steps import Step


def check_host(host: Host) -> None:
    """Raise Refused during a preview boot, whatever is asked for."""
    if problems := tuple(preview_problems(host)):
        raise Refused("nothing can be changed here", problems)


def check_steps(title: str, host_state: HostState, steps: Sequence[Step]) -> None:
    """Raise Refused if LVM would refuse one of ``steps``, or would wait for udev forever."""
    if not uses_lvm(steps):
        return
    names = {name for step in steps for name in step.vgs}
    same_name = same_name_problems(host_state, names)
    if problems := (*udev_problems(host_state.host), *same_name, *lvm_problems(host_state, steps)):
        raise Refused(title, problems)


def archive_warnings(host_state: HostState, steps: Sequence[Step]) -> Iterator[str]:
    """A warning if LVM cannot archive its metadata. This blocks nothing: a rollback may be the cure for a full disk."""
    if uses_lvm(steps) and not host_state.host.can_archive:
        yield f"{LVM_ARCHIVE} is read-only or has hardly any room: LVM archives no metadata of what is changed here"


def uses_lvm(steps: Sequence[Step]) -> bool:
    """Whether one of ``steps`` runs LVM."""
    return any(step.vgs for step in steps)
