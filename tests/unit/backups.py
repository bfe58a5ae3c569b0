# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with and without a backup of /boot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders as b

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset import tags as _tags

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume


MANIFEST = "5" * 64
OTHER_ID = "f" * 32
ROOT = b.volume("vg/root")
TREE = Tree("/boot", "ext4", {"vmlinuz": Entry(kind="file", size=9 * b.MIB), "grub": Entry(kind="directory")})


def backup(*, name: str = "s", set_id: str = b.SET_ID, manifest: str = MANIFEST, **more: Any) -> Volume:
    tags = _tags.BootTags(set_name=name, set_id=set_id, taken=b.NOW).to_tags()
    sealed = (_tags.boot_seal(manifest),) if manifest else ()
    restored = (_tags.BOOT_RESTORED,) if more.pop("restored", False) else ()
    return b.volume(f"vg/safepoint_boot_{name}", 40 * b.MIB, tags=(*tags, *sealed, *restored), **more)


def host(*volumes: Volume, boot: tuple[str, ...] = ("/boot",), **more: Any) -> HostState:
    one = b.host_state([ROOT, *volumes], mounts={"/": ROOT}, **more)
    mounts = tuple(Mount(path, f"/dev/vda{place}", "ext4", (254, place), 1) for place, path in enumerate(boot))
    return b.mounting(one, *mounts)


def taken(**more: Any) -> Volume:
    return b.member(ROOT, **more)
