# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which LVs a package manager writes to, and whether it is working. Pure; private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._paths import SYSTEM_MOUNTPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .._host_model import PackageDatabase
    from .._model import HostState, Volume


def package_databases(host_state: HostState, origins: Sequence[Volume]) -> tuple[PackageDatabase, ...]:
    """The databases of package managers that write to ``origins``: those keep the system, or the database itself."""
    return tuple(
        database
        for database in host_state.host.packages
        if any(_lie_on(host_state, origins, path) for path in (*SYSTEM_MOUNTPOINTS, database.directory))
    )


def _lie_on(host_state: HostState, origins: Sequence[Volume], path: str) -> bool:
    mount = host_state.host.lies_on(path)
    return mount is not None and any(volume in origins for volume in host_state.volumes_below(mount)[0])


def package_problems(databases: Iterable[PackageDatabase]) -> Iterator[str]:
    """Why no snapshot should be taken: a package manager is working."""
    for one in databases:
        if one.user:
            yield (
                f"{one.manager} is working ({one.user}), so a snapshot would have packages that are only half "
                "installed: wait until it has ended, or set package_timeout to wait longer"
            )


def package_warnings(databases: Iterable[PackageDatabase]) -> Iterator[str]:
    """That a package manager was interrupted earlier, so that packages are only half installed."""
    for one in databases:
        if one.cure and not one.user:
            yield f"{one.manager} was interrupted, so packages may be only half installed: type {one.cure}"
