# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the contents of an initramfs from its list of files."""

from __future__ import annotations

import pytest

from ansible_collections.safepoint.lvm.plugins.module_utils._host.boot import leaves_pollers, modules_in


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("usr/lib/modules/6.12/kernel/drivers/md/dm-snapshot.ko.xz", {"dm_snapshot"}),
        ("kernel/drivers/md/dm-thin-pool.ko", {"dm_thin_pool"}),
        ("-rw-r--r-- 1 root root 9 Jan 1 2026 usr/lib/modules/6/dm-mod.ko.zst", {"dm_mod"}),
        ("usr/share/doc/dm-snapshot.ko.xz.txt/README", set()),
        ("usr/bin/kodi", set()),
        ("", set()),
    ],
)
def test_modules_in_an_initramfs(line: str, modules: set[str]) -> None:
    assert modules_in([line]) == modules


UDEV_STOPS, POLLERS_END = "scripts/init-bottom/udev", "scripts/local-bottom/safepoint-lvm"


@pytest.mark.parametrize(
    ("lines", "leaves"),
    [
        ([UDEV_STOPS], True),
        ([POLLERS_END, UDEV_STOPS], False),
        (["-rwxr-xr-x 1 root root 400 Jan 1 2026 usr/lib/dracut/hooks/cmdline/30-parse-lvm.sh"], False),
    ],
)
def test_pollers_in_an_initramfs(lines: list[str], *, leaves: bool) -> None:
    assert leaves_pollers(lines) is leaves
