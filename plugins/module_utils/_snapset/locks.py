# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted devices for which a reboot may need a person. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._model import HostState


def passphrase_problems(host_state: HostState) -> Iterator[str]:
    """Why the host would not boot without a person."""
    for lock in host_state.host.locks:
        if lock.opened_by == "person":
            yield f"the host boots from the encrypted device {lock.name}, and needs a person for it: {lock.reason}"


def reboot_warnings(host_state: HostState) -> tuple[str, ...]:
    """What to warn about before a reboot: that it needs a person, or that it may need one."""
    maybe = (
        f"the host boots from the encrypted device {lock.name}, and it cannot be known whether it opens it without a "
        f"person: {lock.reason}"
        for lock in host_state.host.locks
        if lock.opened_by == "unknown"
    )
    return (*passphrase_problems(host_state), *maybe)
