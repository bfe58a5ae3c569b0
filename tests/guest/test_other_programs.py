# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host that use an origin, or take snapshots of it themselves."""

from __future__ import annotations

import os
from pathlib import Path

import lvm
import storage
from calls import absent, merged, ok, present, refused, rolled_back

USED = "thick/b is in use but not mounted here, for example by a virtual machine"


def test_a_process_that_has_an_origin_open() -> None:
    """As qemu has the disk of a virtual machine."""
    descriptor = os.open("/dev/thick/b", os.O_RDONLY)
    try:
        assert USED in str(ok("snapset", present("s", "thick/b"), check=True)["warnings"])
        assert USED in str(ok("snapset", present("s", "thick/b"))["warnings"])
        assert ok("snapset", merged("s"))["reboot_required"]
    finally:
        os.close(descriptor)
    rolled_back("snapset", merged("s"))
    assert "warnings" not in ok("snapset", present("s", "thick/b"), check=True)


def test_a_snapshot_of_e2scrub() -> None:
    """The name is that of e2scrub of e2fsprogs 1.47; it also gives its snapshots less space than the origin has."""
    assert 'snap="${LVM2_LV_NAME}.e2scrub"' in Path("/sbin/e2scrub").read_text()
    ok("snapset", present("s", "thick/b"))
    storage.write("thick/b", 7)
    lvm.run("lvcreate", "-q", "-s", "-L", "4M", "-n", "b.e2scrub", "thick/b")
    refused(
        "snapset",
        merged("s"),
        r"thick/b\.e2scrub .* would overflow: it is one of e2scrub and goes away by itself: wait",
    )
    lvm.run("lvremove", "-q", "-y", "thick/b.e2scrub")
    ok("snapset", merged("s"))
    rolled_back("snapset", merged("s"))
    ok("snapset", absent("s"))
