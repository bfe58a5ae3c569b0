# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a boot entry, and what prevents one. The scenario `look` tests that it boots."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import builders as b
import pytest
from backups import MANIFEST, ROOT, backup
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry import entries, menu
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.checks import entry_problems, grub_problems
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_entry.grub import (
    Grub,
    entry_id,
    parse_environment,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.tree import Entry, Tree
from ansible_collections.safepoint.lvm.plugins.module_utils._host_model import BlockDevice, Mount
from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.context import snapset_context

if TYPE_CHECKING:
    from ansible_collections.safepoint.lvm.plugins.module_utils._model import HostState, Volume
    from ansible_collections.safepoint.lvm.plugins.module_utils._snapset.state import Instance

VAR, SWAP_LV, SECRET = b.volume("vg/var"), b.volume("vg/swap"), b.volume("vg/secret")
DISK = (254, 2)
BOOT_MOUNT = Mount("/boot", "/dev/vda2", "ext4", DISK)
MENU = """\
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="0"
fi
source $prefix/custom.cfg
"""
GRUB = Grub("/boot/grub", MENU, {"next_entry": ""})


def host(*origins: Volume, mounts: dict[str, Volume] | None = None, fstype: str = "ext4", **more: Any) -> HostState:
    """Return a host with a snapset of ``origins``, the LVs ``mounts`` by mountpoint, and a backup of /boot."""
    mounted = {"/": ROOT, "/var": VAR} if mounts is None else mounts
    members = [b.member(origin, count=len(origins)) for origin in origins]
    others = [one for one in mounted.values() if one not in origins]
    host_state = b.host_state([*origins, *members, *others, backup(**more)], mounts=mounted)
    devices = {**host_state.host.devices, DISK: BlockDevice("vda2")}
    changed = tuple(replace(mount, fstype=fstype) for mount in host_state.host.mounts)
    host_state = replace(host_state, host=replace(host_state.host, mounts=changed))
    return b.mounting(host_state, BOOT_MOUNT, devices=MappingProxyType(devices))


def instance(host_state: HostState) -> Instance:
    found = snapset_context(host_state, "s").instance
    assert found is not None
    return found


def problems(host_state: HostState) -> list[str]:
    return list(entry_problems(snapset_context(host_state, "s")))


def test_what_is_shown_of_a_set() -> None:
    host_state = host(VAR, ROOT)
    assert [one.line for one in entries.preview_mounts(host_state, instance(host_state))] == [
        "/\t/dev/mapper/vg-root_s\text4\tro,noload\tvg/root\tvg/root_s",
        "/var\t/dev/mapper/vg-var_s\text4\tro,noload\tvg/var\tvg/var_s",
    ]
    assert problems(host_state) == []
    assert "nouuid" in entries.preview_mounts(host(ROOT, fstype="xfs"), instance(host_state))[0].line


def test_what_is_not_shown() -> None:
    """Swap, LVs that are not mounted or are encrypted, and mountpoints that contain a tab or a line feed."""
    odd = b.volume("vg/odd")
    mounts = {"/": ROOT, "/a\tb": odd}
    host_state = host(ROOT, SWAP_LV, SECRET, odd, mounts=mounts)
    number, above = host_state.device_of(SECRET), (253, 99)
    below = next(key for key, device in host_state.host.devices.items() if device == number)
    devices = {**host_state.host.devices, above: BlockDevice("dm-99", "secret", "CRYPT-LUKS2-x", (below,))}
    secret = Mount("/secret", "/dev/mapper/secret", "ext4", above)
    place = next(mount.device for mount in host_state.host.mounts if mount.mountpoint == "/a\tb")
    part = Mount("/part", "", "ext4", place, root="/file")
    log = Mount("/log", "", "xfs", place, more=(DISK,))
    host_state = b.mounting(host_state, secret, part, log, devices=MappingProxyType(devices))
    assert [mount.mountpoint for mount in host_state.mounts_of(SECRET)] == ["/secret"]
    assert [one.mountpoint for one in entries.preview_mounts(host_state, instance(host_state))] == ["/"]


@pytest.mark.parametrize(
    ("host_state", "reason"),
    [
        (host(), "snapset s does not exist: take it first, or check the name"),
        (host(VAR), "snapset s has no root filesystem that can be booted"),
        (host(ROOT, fstype="btrfs"), "snapset s has no root filesystem that can be booted"),
        (host(ROOT, VAR, mounts={"/": ROOT, "/usr": VAR}), "/usr is a separate filesystem"),
        (host(ROOT, set_id="f" * 32), "snapset s has no backup of /boot"),
        (host(ROOT, manifest=""), "snapset s has no backup of /boot"),
        (
            host(ROOT, manifest=MANIFEST, active=False),
            "with the backup of /boot is not active: lvchange -ay vg",
        ),
    ],
)
def test_entry_problems(host_state: HostState, reason: str) -> None:
    (problem,) = problems(host_state)
    assert reason in problem


@pytest.mark.parametrize(
    ("grub", "mount", "device", "reasons"),
    [
        (None, BOOT_MOUNT, BlockDevice("vda2"), ["only GRUB is supported"]),
        (GRUB, BOOT_MOUNT, BlockDevice("vda2"), []),
        (replace(GRUB, menu="custom.cfg"), BOOT_MOUNT, BlockDevice("vda2"), ["does not use next_entry"]),
        (replace(GRUB, menu="next_entry"), BOOT_MOUNT, BlockDevice("vda2"), ["does not read custom.cfg"]),
        (GRUB, BOOT_MOUNT, BlockDevice("dm-1", "vg-boot", "LVM-x"), ["cannot write to LVM, RAID or encrypted"]),
        (GRUB, BOOT_MOUNT, BlockDevice("md0", slaves=((8, 1), (8, 17))), ["cannot write to LVM, RAID or encrypted"]),
        (
            GRUB,
            replace(BOOT_MOUNT, fstype="btrfs"),
            BlockDevice("vda2"),
            ["it is on btrfs, and GRUB can write only to ext2"],
        ),
        (GRUB, None, BlockDevice("vda2"), ["the disk with that file was not found"]),
    ],
)
def test_grub_problems(grub: Grub | None, mount: Mount | None, device: BlockDevice, reasons: list[str]) -> None:
    host_state = host(ROOT)
    devices = MappingProxyType({**host_state.host.devices, DISK: device})
    host_state = replace(host_state, host=replace(host_state.host, devices=devices))
    found = list(grub_problems(grub, host_state, mount))
    assert len(found) == len(reasons)
    assert all(reason in text for reason, text in zip(reasons, found))


def test_the_newest_kernel_that_has_an_initramfs() -> None:
    names = (
        *(
            "vmlinuz-6.1.0-9-amd64",
            "initrd.img-6.1.0-9-amd64",
            "vmlinuz-6.1.0-10-amd64",
            "initramfs-6.1.0-10-amd64.img",
        ),
        *("vmlinuz-6.1.0-11-amd64", "vmlinuz-0-rescue-1", "initramfs-0-rescue-1.img", "config-6.1.0-12-amd64"),
    )
    files = {name: Entry(kind="file") for name in names}
    tree = Tree("/boot", "ext4", {**files, "vmlinuz-7": Entry(kind="link", target="x"), "initrd-7": Entry(kind="file")})
    assert [(one.version, one.initramfs) for one in entries.kernels_in(tree)] == [
        ("6.1.0-9-amd64", "initrd.img-6.1.0-9-amd64"),
        ("6.1.0-10-amd64", "initramfs-6.1.0-10-amd64.img"),
    ]


CMDLINE = (
    "BOOT_IMAGE=/vmlinuz-1 root=/dev/mapper/vg-root ro rootflags=subvol=x console=ttyS0,115200 quiet boot=UUID=1 "
    'dyndbg="file a.c +p; file b.c" resume=/dev/mapper/vg-swap rd.lvm.lv=vg/root rd.luks.uuid=1 single rootdelay=9 '
    "systemd.wants=a.service"
)


@pytest.mark.parametrize(
    ("kind", "taken_over", "added"),
    [
        (
            "initramfs-tools",
            ["console=ttyS0,115200", "quiet", "dyndbg=file a.c +p; file b.c", "rd.lvm.lv=vg/root", "rd.luks.uuid=1"],
            ["boot=safepoint"],
        ),
        # For dracut, boot= locates the kernel of a host with FIPS.
        (
            "dracut",
            ["console=ttyS0,115200", "quiet", "boot=UUID=1", "dyndbg=file a.c +p; file b.c", "rd.luks.uuid=1"],
            ["rd.lvm.lv=vg/root", "rd.lvm.lv=vg/root_s", "rd.shell=0", "rd.emergency=reboot", "rd.timeout=120"],
        ),
    ],
)
def test_the_command_line_is_that_of_the_present_boot_with_another_root(
    kind: Any, taken_over: list[str], added: list[str]
) -> None:
    host_state = host(ROOT)
    (root,) = entries.preview_mounts(host_state, instance(host_state))
    words = entries.kernel_arguments(f"{CMDLINE}\n", root, kind, "all")
    common = ["root=/dev/mapper/vg-root_s", "ro", "rootfstype=ext4", "rootflags=ro,noload", "panic=10", "noresume"]
    common += ["fsck.mode=skip", "systemd.gpt_auto=0"]
    assert words == [*taken_over, "rootdelay=9", *common, *added]
    limited = entries.kernel_arguments(f"{CMDLINE}\n", root, kind, "none")
    assert limited == [*taken_over, "rootdelay=9", *common, "systemd.unit=safepoint-preview.target", *added]


def test_the_entry_in_the_menu() -> None:
    arguments = ["ro", "x='a b'", "root=/dev/mapper/vg-root_s"]
    text = menu.menu_entry(instance(host(ROOT)), uuid="12-34", arguments=arguments)
    place = f"/safepoint.lvm/{b.SET_ID}"
    assert f"    linux {place}/vmlinuz ro 'x='\\''a b'\\''' root=/dev/mapper/vg-root_s\n" in text
    assert f"    initrd {place}/initrd.img {place}/look.img\n" in text
    assert f"--id Safepoint-{b.SET_ID} {{\n" in text
    assert "    search --no-floppy --fs-uuid --set=root 12-34\n" in text


def test_the_menu_has_the_entry_only_if_it_was_chosen() -> None:
    """It starts a system with earlier passwords, and must not get the number that is the default of a menu."""
    text = menu.custom_part(GRUB, b.SET_ID, menu.menu_entry(instance(host(ROOT)), uuid="12-34", arguments=["ro"]))
    _begin, first, fallback, *inside, last, _end = text.splitlines()
    assert first == f'if [ "${{default}}" = Safepoint-{b.SET_ID} ]; then'
    assert fallback == '    set fallback="0"'
    assert (inside[0].startswith("    menuentry "), inside[-1], last) == (True, "    }", "fi")


@pytest.mark.parametrize(
    ("default", "fallback"),
    [("0", "0"), ("${saved_entry}", "${saved_entry}"), ("gnulinux-simple-1", "gnulinux-simple-1"), ("1>2", "0")],
)
def test_where_grub_goes_when_it_cannot_load_the_entry(default: str, fallback: str) -> None:
    """It boots the default entry, except in a submenu: GRUB would show the submenu and wait."""
    grub = replace(GRUB, menu=MENU.replace('"0"', f'"{default}"'))
    assert f'    set fallback="{fallback}"\n' in menu.custom_part(grub, b.SET_ID, "")


def test_the_id_of_the_entry_is_not_a_number() -> None:
    """GRUB 2.14 reads an ID that begins with a digit as the number of an entry (get_entry_number in normal/menu.c)."""
    assert not entry_id(b.SET_ID)[0].isdigit()


OTHER_ID = "e" * 32


@given(before=st.text(max_size=40), after=st.text(max_size=40))
def test_what_others_have_in_custom_cfg_stays(before: str, after: str) -> None:
    part = menu.custom_part(GRUB, b.SET_ID, "menuentry x {\n}\n")
    other = part.replace(b.SET_ID, OTHER_ID)
    text = menu.with_part(menu.with_part(before, other), part) + after
    rest = menu.without_entry(text, b.SET_ID)
    assert rest == menu.with_part(before, other) + after
    assert menu.without_entry(rest, b.SET_ID) == rest
    assert menu.without_entry(rest, OTHER_ID).startswith(before)


def test_half_an_entry_is_left_alone() -> None:
    text = menu.custom_part(GRUB, b.SET_ID, "")
    half = text[: len(text) // 2]
    assert menu.without_entry(half, b.SET_ID) == half


def test_the_environment_of_grub() -> None:
    assert parse_environment(["saved_entry=a=b", "next_entry=", "# no"]) == {
        "saved_entry": "a=b",
        "next_entry": "",
    }
