# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module boot_backup and the shell program of a timer restore the same files, and leave the same files alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from boot_directory import AFTER, BEFORE, Host, contents
from timer_directory import call, list_boot, place_timer

from ansible_collections.safepoint.lvm.plugins.module_utils._boot_backup.restore import make_bootable
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.difference import compare
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.firmware import (
    BOOT_ORDER,
    REVOCATIONS,
    SECURE_BOOT,
    SECURE_BOOT_OFF,
    Firmware,
    may_refuse,
    variables_to_write,
)
from ansible_collections.safepoint.lvm.plugins.module_utils._boot_files.scan import rescan

ASIDE = ".safepoint-aside"
OFF, ON = SECURE_BOOT_OFF, SECURE_BOOT_OFF[:-1] + b"\1"
SBAT, DBX, _MOKS = REVOCATIONS
ENTRY, OTHER = (BOOT_ORDER.replace("Order", number) for number in ("0001", "00A2"))
Content = dict[str, Any]
Variables = dict[str, bytes]


def tree(*paths: str, **texts: str) -> Content:
    """Files with their parents. Each file of `paths` says "PATH old" or, after a =, something else."""
    found: Content = dict(texts)
    for one in paths:
        path, equals, text = one.partition("=")
        found |= {str(parent): None for parent in Path(path).parents if parent != Path()}
        found[path] = text if equals else f"{path} old"
    return found


LOADERS = tree("EFI/x/shim.efi", "EFI/x/grub.cfg", "grub/x86_64-efi/a.mod", "EFI/Linux/1.efi", "vmlinuz-1")
NEW_LOADERS = tree(
    *("EFI/x/shim.efi=new", "EFI/x/grub.cfg=new", "grub/x86_64-efi/a.mod=new", "EFI/Linux/2.efi=new", "vmlinuz-1=new"),
    *("EFI/y/shim.efi=new", "EFI/y/grub.cfg=new"),
)
# What the change has added and no boot loader shows by itself.
ADDED = tree("EFI/y/shim.efi=new")


@dataclass(frozen=True)
class Case:
    """A boot filesystem before and after a change, and after its restoration; and what the firmware keeps."""

    before: Content
    after: Content
    restored: Content
    known: Variables
    now: Variables
    written: tuple[str, ...] = ()


def case(before: Content, after: Content, restored: Content, **firmware: Any) -> Case:
    return Case(before, after, restored, firmware.pop("known", {}), firmware.pop("now", {}), **firmware)


GRUB = tree("grub/i386-pc/core.img", "grub/i386-pc/normal.mod", "grub/i386-pc/old.mod", "grub/grub.cfg")
NEW_GRUB = tree("grub/i386-pc/core.img=new", "grub/i386-pc/normal.mod=new", "grub/grub.cfg=new")
PREP, NEW_PREP = (
    {path.replace("i386-pc", "powerpc-ieee1275").replace(".img", ".elf"): text for path, text in content.items()}
    for content in (GRUB, NEW_GRUB)
)
SYSLINUX = tree("extlinux/ldlinux.sys", "extlinux/menu.c32", "extlinux/extlinux.conf")
NEW_SYSLINUX = tree("extlinux/ldlinux.sys=new", "extlinux/menu.c32=new", "extlinux/extlinux.conf=new")
REVOKED = {"known": {SECURE_BOOT: ON, SBAT: b"1"}, "now": {SECURE_BOOT: ON, SBAT: b"2"}}

CASES = {
    "a new kernel": case(
        BEFORE, AFTER, {**BEFORE, "vmlinuz-2": AFTER["vmlinuz-2"], "initrd.img-2": AFTER["initrd.img-2"]}
    ),
    "GRUB of another build": case(GRUB, NEW_GRUB, {**NEW_GRUB, "grub/grub.cfg": GRUB["grub/grub.cfg"]}),
    "GRUB of the same build": case(GRUB, {**GRUB, "grub/i386-pc/normal.mod": "new"}, GRUB),
    "GRUB for BIOS came with the change": case(tree("grub/grub.cfg"), NEW_GRUB, {**NEW_GRUB, **tree("grub/grub.cfg")}),
    "GRUB for BIOS went with the change": case(GRUB, tree("grub/grub.cfg=new"), GRUB),
    "GRUB in a PReP partition": case(PREP, NEW_PREP, {**NEW_PREP, "grub/grub.cfg": PREP["grub/grub.cfg"]}),
    "syslinux": case(
        SYSLINUX, NEW_SYSLINUX, {**NEW_SYSLINUX, "extlinux/extlinux.conf": SYSLINUX["extlinux/extlinux.conf"]}
    ),
    "boot loaders on the ESP": case(LOADERS, NEW_LOADERS, {**LOADERS, **ADDED}),
    "revoked boot loaders": case(
        LOADERS,
        NEW_LOADERS,
        {
            **{path: text for path, text in NEW_LOADERS.items() if path != "EFI/Linux/2.efi"},
            **{path: LOADERS[path] for path in ("EFI/x/grub.cfg", "EFI/Linux/1.efi", "vmlinuz-1")},
        },
        **REVOKED,
    ),
    "revoked hashes": case(
        tree("EFI/x/a.efi"),
        tree("EFI/x/a.efi=new"),
        tree("EFI/x/a.efi=new"),
        known={SECURE_BOOT: ON},
        now={SECURE_BOOT: ON, DBX: b"1"},
    ),
    "nothing can be refused without Secure Boot": case(
        tree("EFI/x/a.efi"), tree("EFI/x/a.efi=new"), tree("EFI/x/a.efi"), known={SBAT: b"1"}, now={SECURE_BOOT: OFF}
    ),
    "a seed is never used twice": case(
        tree("loader/random-seed", "loader/loader.conf"),
        tree("loader/random-seed=new"),
        tree("loader/random-seed=new", "loader/loader.conf"),
    ),
    "menus in other case": case(
        tree("loader/entries/1.conf", "EFI/Linux/a.efi"),
        tree("loader/entries/1.conf", "EFI/Linux/a.efi", "EFI/Linux/B.EFI=new", "loader/entries/2.Conf=new"),
        tree("loader/entries/1.conf", "EFI/Linux/a.efi"),
    ),
    "menus of a boot loader that came with the change": case(
        tree("vmlinuz-1"),
        tree("vmlinuz-1", "grub2/grub.cfg=new", "syslinux/syslinux.cfg=new", "grub/themes/grub.cfg=new"),
        {**tree("vmlinuz-1", "grub/themes/grub.cfg=new"), "grub2": None, "syslinux": None},
    ),
    "boot entries of the firmware": case(
        ONE := tree("vmlinuz-1"),
        ONE,
        ONE,
        known={BOOT_ORDER: b"....\1\0", ENTRY: b"....old", "BootNext": b"x"},
        now={BOOT_ORDER: b"....\xa2\0", OTHER: b"....new"},
        written=(ENTRY, BOOT_ORDER),
    ),
    "boot entries of revoked boot loaders": case(
        ONE, ONE, ONE, known={**REVOKED["known"], ENTRY: b"old"}, now=REVOKED["now"]
    ),
}


def _on_host(base: Path, one: Case, fstype: str) -> Host:
    base.mkdir()
    return Host(base, one.before, one.after, fstype=fstype)


@pytest.mark.parametrize("fstype", ["ext4", "vfat"])
@pytest.mark.parametrize("one", CASES.values(), ids=CASES.keys())
def test_module_and_timer_do_the_same(tmp_path: Path, one: Case, fstype: str) -> None:
    by_module = _on_host(tmp_path / "module", one, fstype)
    saved, now = Firmware(one.known), Firmware(one.now)
    refused = may_refuse(saved, now)
    make_bootable(by_module.site, compare(by_module.saved, rescan(by_module.saved), refused=refused))
    shutil.rmtree(by_module.site.work)
    written = {} if refused else variables_to_write(saved, now)
    assert (contents(by_module.boot), tuple(written)) == ({**one.restored}, one.written)

    by_timer = _on_host(tmp_path / "timer", one, fstype)
    variables = _run_timer(tmp_path, by_timer, one)
    found = {path: text for path, text in contents(by_timer.boot).items() if not path.endswith(ASIDE)}
    assert {path: text for path, text in found.items() if ASIDE not in path} == one.restored
    assert variables == {**one.now, **written}


def _run_timer(tmp_path: Path, host: Host, one: Case) -> Variables:
    """Let the program of a timer restore /boot. Return the variables of the firmware then."""
    place = tmp_path / "program"
    place.mkdir()
    place_timer(place)
    list_boot(place, host.saved)
    copies = place / "backup" / "tree" / host.boot.relative_to("/")
    copies.parent.mkdir(parents=True)
    host.site.copies.rename(copies)
    for directory, variables in ((place / "backup" / "firmware", one.known), (place / "efivars", one.now)):
        directory.mkdir()
        for name, value in variables.items():
            (directory / name).write_bytes(value)
    call(place, "restore_boot || echo failed >&2")
    return {path.name: path.read_bytes() for path in sorted((place / "efivars").iterdir())}
