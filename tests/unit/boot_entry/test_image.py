# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small initramfs of a boot entry: its content for each kind of initramfs, and its program with fake tools.

The program runs in the shell of this machine, below a directory. The fake `mount` and `lvm` record their arguments.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import builders as b
import pytest
from cpio import members

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry import image as preview
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.entries import InitramfsKind, PreviewMount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.units import Services

ROOT, VAR = b.volume("vg/root"), b.volume("vg/var")
SHOWN = (
    PreviewMount("/", "ext4", ROOT, b.member(ROOT)),
    PreviewMount("/var", "xfs", VAR, b.member(VAR)),
)
FSTAB = """\
# the table
/dev/mapper/vg-root / ext4 errors=remount-ro 0 1
/dev/mapper/vg-var /var/ xfs defaults 0 0
UUID=1 /boot ext4 defaults,noatime 0 2
/dev/vdb1 /srv/with\\040blank ext4
LABEL=swap none swap sw 0 0

tmpfs /tmp tmpfs size=1g 0 0"""
# Nothing is mounted below the directory. Directories stand for mounted filesystems.
TOOLS = {
    "lvm": 'cd "$SAFEPOINT_LOOK"; echo "lvm $*" >>said; [ ! -e comes ] || mv comes "$DEVICE"',
    "mount": 'echo "mount $*" >>"$SAFEPOINT_LOOK/said"; [ "$2" != "$BROKEN" ]',
    "umount": 'echo "umount $*" >>"$SAFEPOINT_LOOK/said"',
    "chroot": 'echo "chroot $1 $4" >>"$SAFEPOINT_LOOK/said"; [ "$4" != "$BROKEN" ]',
    "modprobe": 'echo "modprobe $*" >>"$SAFEPOINT_LOOK/said"; exit 1',
}


def image(kind: InitramfsKind, scripts: str, services: Services = "all") -> dict[str, tuple[int, str]]:
    found = preview.preview_image(kind, scripts, preview_mounts=SHOWN, name="s", set_id=b.SET_ID, services=services)
    return members(found)


def test_what_initramfs_tools_gets() -> None:
    found = image("initramfs-tools", "scripts")
    assert list(found) == [
        "scripts",
        "safepoint-look",
        "safepoint-look.list",
        "safepoint-look.set",
        "scripts/safepoint",
    ]
    assert found["safepoint-look.list"][1] == "".join(f"{one.line}\n" for one in SHOWN)
    assert found["safepoint-look.set"][1] == f"s {b.SET_ID}\n"
    assert {mode for mode, _content in found.values()} == {0o40755, 0o100755}


def test_what_dracut_gets() -> None:
    """Parents of the hooks are not archived: the kernel would replace a link by a directory (init/initramfs.c)."""
    hooks = "var/lib/dracut/hooks"
    found = image("dracut", hooks)
    assert [path for path, (mode, _text) in found.items() if mode & 0o40000] == [
        f"{hooks}/pre-mount",
        f"{hooks}/pre-pivot",
    ]
    assert "show" in found[f"{hooks}/pre-pivot/50-safepoint-look.sh"][1]


@pytest.mark.parametrize("size", range(8))
def test_whatever_the_lengths_the_archive_can_be_read(size: int) -> None:
    preview_mounts = (PreviewMount(f"/{'x' * size}", "ext4", ROOT, b.member(ROOT)),)
    found = members(
        preview.preview_image(
            "initramfs-tools",
            "scripts",
            preview_mounts=preview_mounts,
            name="s" * (size + 1),
            set_id=b.SET_ID,
            services="none",
        )
    )
    assert found["safepoint-look.list"][1] == f"{preview_mounts[0].line}\n"


@pytest.mark.parametrize(
    ("listing", "kind"),
    [
        (["bin", "scripts/local", "scripts/local-top/x"], ("initramfs-tools", "scripts")),
        (["scripts/local-top", "usr/scripts/localx"], None),
        (
            [
                "Image: /boot/initrd.img: 20M",
                "",
                "drwxr-xr-x   2 root     root            0 Jan  1  1970 usr/lib/dracut/hooks",
                "drwxr-xr-x   2 root     root            0 Jan  1  1970 usr/lib/dracut/hooks/pre-pivot",
            ],
            ("dracut", "usr/lib/dracut/hooks"),
        ),
        (
            [
                "lrwxrwxrwx   1 root     root           26 Jan  1  1970 usr/lib/dracut/hooks -> /var/lib/dracut/hooks",
                "drwxr-xr-x   2 root     root            0 Jan  1  1970 var/lib/dracut/hooks",
            ],
            ("dracut", "var/lib/dracut/hooks"),
        ),
        (["init", "hooks/lvm2"], None),
        ([], None),
    ],
)
def test_the_kind_of_an_initramfs(listing: Sequence[str], kind: tuple[str, str] | None) -> None:
    assert preview.initramfs_kind(listing) == kind


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with the initramfs, fake tools and the root filesystem to be completed."""
    for name, (mode, content) in image("initramfs-tools", "scripts").items():
        path = tmp_path / name
        path.mkdir() if mode & 0o40000 else path.write_text(content)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    (tmp_path / "new/etc").mkdir(parents=True)
    (tmp_path / "new/etc/fstab").write_text(FSTAB)
    return tmp_path


def run(place: Path, *arguments: str, **more: str) -> int:
    env = {"PATH": f"{place}/tools:/usr/bin:/bin", "SAFEPOINT_LOOK": str(place), "BROKEN": "", "DEVICE": "", **more}
    return subprocess.run(["sh", str(place / "safepoint-look"), *arguments], env=env, check=False).returncode


def said(place: Path) -> list[str]:
    file = place / "said"
    return file.read_text().replace(str(place), "").splitlines() if file.exists() else []


def with_devices(place: Path, *names: str) -> None:
    """Change the list to devices below the directory, and create those in ``names``."""
    text = (place / "safepoint-look.list").read_text()
    (place / "safepoint-look.list").write_text(text.replace("/dev/mapper/", f"{place}/"))
    for name in names:
        (place / name).touch()


def test_snapshots_are_activated_with_their_origins_until_they_are_there(place: Path) -> None:
    with_devices(place, "vg-root_s")
    assert run(place, "activate") == 1
    (place / "comes").touch()
    assert run(place, "activate", DEVICE=str(place / "vg-var_s")) == 0
    assert run(place, "activate") == 0
    wanted = "lvm lvchange --sysinit --yes --activate y --ignoreactivationskip vg/var vg/var_s"
    assert said(place) == [wanted, wanted]


def test_each_is_mounted_below_a_layer_in_memory(place: Path) -> None:
    assert run(place, "show", f"{place}/new") == 0
    layer = "/run/safepoint-look"
    layers = [f"lowerdir={layer}/{n}/below,upperdir={layer}/{n}/above,workdir={layer}/{n}/work" for n in (1, 2)]
    assert said(place) == [
        f"mount -t tmpfs -o mode=0755,size=50% tmpfs {layer}",
        f"modprobe -q -d {layer}/1/below ext4",
        f"mount -t ext4 -o ro,noload /dev/mapper/vg-root_s {layer}/1/below",
        f"modprobe -q -d {layer}/1/below overlay",
        f"mount -t overlay -o {layers[0]} overlay /new",
        f"mount -o bind {layer}/1/below /new/run",
        *(["chroot /new /"] * 2),
        "umount /new/run",
        f"modprobe -q -d {layer}/1/below xfs",
        f"mount -t xfs -o ro,norecovery,nouuid /dev/mapper/vg-var_s {layer}/2/below",
        f"modprobe -q -d {layer}/1/below overlay",
        f"mount -t overlay -o {layers[1]} overlay /new/var",
        f"mount -o bind {layer}/2/below /new/run",
        *(["chroot /new /var"] * 2),
        "umount /new/run",
    ]
    assert (place / "run/safepoint-look/set").read_text() == f"s {b.SET_ID}\n"
    assert "the snapset s." in (place / "new/etc/motd").read_text()


def test_other_filesystems_are_read_only_and_not_waited_for(place: Path) -> None:
    run(place, "show", f"{place}/new")
    assert (place / "new/etc/fstab").read_text().splitlines() == [
        "UUID=1 /boot ext4 defaults,noatime,ro,nofail 0 0",
        "/dev/vdb1 /srv/with\\040blank ext4 defaults,ro,nofail 0 0",
        "tmpfs /tmp tmpfs size=1g 0 0",
        "",
    ]


@pytest.mark.parametrize("broken", ["tmpfs", "ext4", "xfs", "overlay", "bind", "/var"])
def test_what_fails_ends_it(place: Path, broken: str) -> None:
    assert run(place, "show", f"{place}/new", BROKEN=broken) != 0
    assert (place / "new/etc/fstab").read_text() == FSTAB
