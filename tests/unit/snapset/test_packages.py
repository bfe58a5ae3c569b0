# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No snapshot is taken of what a package manager is changing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders as b
import driver
import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import PackageDatabase
from ansible_collections.safepoint.lvm.plugins.module_utils._module.snapset_info import host_info

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState

USER = "apt (PID 7) holds /var/lib/dpkg/lock"
WORKING = PackageDatabase("dpkg", "/var/lib/dpkg", user=USER, cure="dpkg --configure -a")
INTERRUPTED = PackageDatabase("dpkg", "/var/lib/dpkg", cure="dpkg --configure -a")
REASON = (
    f"dpkg is working ({USER}), so a snapshot would have packages that are only half installed: wait until it has "
    "ended, or set package_timeout to wait longer"
)
WARNING = "dpkg was interrupted, so packages may be only half installed: type dpkg --configure -a"


def host(packages: PackageDatabase, *taken: str) -> HostState:
    names = {"/": "root", "/usr": "usr", "/var/lib/dpkg": "db", "/srv": "srv"}
    mounts = {path: b.volume(f"vg/{name}") for path, name in names.items()}
    members = [b.member(b.volume(name)) for name in taken]
    return b.host_state([*mounts.values(), *members], mounts=mounts, packages=(packages,))


@pytest.mark.parametrize(
    ("origins", "concerned"),
    [(["root", "usr"], True), (["usr"], True), (["db"], True), (["srv"], False), (["srv", "db"], True)],
)
def test_only_where_packages_are(origins: list[str], *, concerned: bool) -> None:
    request = b.request(*(f"vg/{name}" for name in origins))
    assert driver.reasons(host(WORKING), request) == ((REASON,) if concerned else ())
    assert driver.plan(host(INTERRUPTED), request).warnings == ((WARNING,) if concerned else ())


def test_an_existing_snapset_is_kept() -> None:
    assert driver.reasons(host(WORKING, "vg/usr"), b.request("vg/usr")) == ()


def test_one_snapshot_is_no_exception() -> None:
    assert driver.reasons(host(WORKING), b.single_request("vg/usr")) == (REASON,)


def test_snapset_info_warns_of_an_interrupted_run() -> None:
    assert WARNING in host_info(host(INTERRUPTED), None)["warnings"]
    assert not any("dpkg" in one for one in host_info(host(WORKING), None)["warnings"])
